//! Tars byte by byte, so that they can hold what no honest program writes.

use tar::{EntryType, Header};

/// A tar in the making.
#[derive(Clone, Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A file of mode 644.
    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        self.file_of(name, content, 0o644)
    }

    pub(super) fn file_of(self, name: &str, content: &[u8], mode: u32) -> Self {
        self.entry(EntryType::Regular, name, "", mode, content)
    }

    pub(super) fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", 0o755, b"")
    }

    pub(super) fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, 0o777, b"")
    }

    pub(super) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, 0o644, b"")
    }

    pub(super) fn entry(self, kind: EntryType, name: &str, target: &str, mode: u32, content: &[u8]) -> Self {
        self.header(kind, name, target, mode, content.len() as u64, |_| ()).content(content)
    }

    pub(super) fn device(self, kind: EntryType, name: &str, (major, minor): (u32, u32)) -> Self {
        self.header(kind, name, "", 0o666, 0, |header| {
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
        })
    }

    /// PAX records for the next entry: each is its length, a space, `key=value`, a newline.
    pub(super) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let content: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(EntryType::XHeader, "pax", "", 0o644, &content)
    }

    /// A header alone; `change` may make it lie.
    pub(super) fn header(
        mut self,
        kind: EntryType,
        name: &str,
        target: &str,
        mode: u32,
        size: u64,
        change: impl Fn(&mut Header),
    ) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(size);
        change(&mut header);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self
    }

    pub(super) fn content(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// With the two zero blocks that end a tar.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    /// Without them.
    pub(super) fn cut(self) -> Vec<u8> {
        self.0
    }
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let digits = |length: usize| length.to_string().len();
    let length = (1..6)
        .map(|count| rest.len() + count)
        .find(|length| rest.len() + digits(*length) == *length)
        .unwrap();
    [length.to_string().as_bytes(), &rest].concat()
}

pub(super) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, plain).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(plain: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(super) fn xz(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    std::io::Write::write_all(&mut encoder, plain).unwrap();
    encoder.finish().unwrap()
}
