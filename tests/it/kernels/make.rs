//! Kernels, packages and modules made byte by byte, as small as they can be.

use std::io::Write as _;
use std::path::Path;

/// How the kernel in an image is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
    Lz4,
    Lzma,
}

pub(super) const PACKINGS: [Packing; 5] =
    [Packing::Gzip, Packing::Xz, Packing::Zstd, Packing::Lz4, Packing::Lzma];

pub(super) const RELEASE: &str = "6.99.1-made";

/// A kernel as an ELF file, with the note by which QEMU starts it or without.
pub(super) fn vmlinux(with_note: bool) -> Vec<u8> {
    let text = banner();
    let note = note(0x0100_0000);
    let segments: Vec<(u32, Vec<u8>)> = if with_note { vec![(1, text), (4, note)] } else { vec![(1, text)] };
    elf(2, &segments)
}

/// A kernel that does this, in 32-bit mode and without a stack.
pub(super) fn vmlinux_of(code: &[u8]) -> Vec<u8> {
    let text = banner();
    let at = BASE + SEGMENTS + 2 * SEGMENT + text.len();
    let note = note(u32::try_from(at).unwrap());
    elf(2, &[(1, [&text, code].concat()), (4, note)])
}

fn banner() -> Vec<u8> {
    format!("\0Linux version %s\0Linux version {RELEASE} (somebody@somewhere) #1\n\0").into_bytes()
}

/// `XEN_ELFNOTE_PHYS32_ENTRY`: where it is entered.
fn note(entry: u32) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [4_u32, 4, 18] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"Xen\0");
    note.extend(entry.to_le_bytes());
    note
}

/// Where a file's first byte is in memory.
const BASE: usize = 0x10_0000;

/// Where the headers of segments begin in a file, and how large each is.
const SEGMENTS: usize = 64;
const SEGMENT: usize = 56;

/// An ELF file for x86-64 of that type, with these segments.
fn elf(kind: u16, segments: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = elf_header(kind, SEGMENTS as u64, segments.len());
    let mut at = SEGMENTS + SEGMENT * segments.len();
    for (segment, bytes) in segments {
        file.extend(segment.to_le_bytes());
        file.extend(4_u32.to_le_bytes());
        for word in [at, BASE + at, BASE + at, bytes.len(), bytes.len(), 4] {
            file.extend((word as u64).to_le_bytes());
        }
        at += bytes.len();
    }
    file.extend(segments.iter().flat_map(|(_, bytes)| bytes));
    // A kernel does not end with its notes.
    file.resize(file.len() + 100_000, 0x5a);
    file
}

fn elf_header(kind: u16, segments_at: u64, segments: usize) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend(kind.to_le_bytes());
    header.extend(62_u16.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    for word in [0x10_0000, segments_at, 0] {
        header.extend(word.to_le_bytes());
    }
    header.extend(0_u32.to_le_bytes());
    for word in [64, 56, u16::try_from(segments).unwrap(), 64, 0, 0] {
        header.extend(word.to_le_bytes());
    }
    header
}

/// A module that needs others.
pub(super) fn module(depends: &str) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let info = format!("license=GPL\0depends={depends}\0name=x\0");
    let mut file = elf_header(1, 0, 0);
    let at = 64 + names.len() + info.len();
    file[40..48].copy_from_slice(&(at as u64).to_le_bytes());
    file[60..62].copy_from_slice(&3_u16.to_le_bytes());
    file[62..64].copy_from_slice(&2_u16.to_le_bytes());
    file.extend(names);
    file.extend(info.bytes());
    file.extend([0; 64]);
    for (name, kind, at, length) in [(1_u32, 1_u32, 64 + names.len(), info.len()), (10, 3, 64, names.len())] {
        file.extend(name.to_le_bytes());
        file.extend(kind.to_le_bytes());
        // Flags, address, place, length; then link and info, alignment, size of an entry.
        for word in [0, 0, at, length, 0, 1, 0] {
            file.extend((word as u64).to_le_bytes());
        }
    }
    file
}

/// These bytes packed, without the length that a kernel's build appends.
pub(super) fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Gzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        }
        Packing::Xz => {
            let mut options = lzma_rust2::XzOptions::with_preset(1);
            options.prepend_pre_filter(lzma_rust2::FilterType::BcjX86, 0);
            let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            xz.write_all(bytes).unwrap();
            xz.finish().unwrap()
        }
        Packing::Zstd => {
            ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
        }
        Packing::Lz4 => lz4_legacy(bytes),
        Packing::Lzma => {
            let options = lzma_rust2::LzmaOptions::with_preset(1);
            let mut lzma = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
            lzma.write_all(bytes).unwrap();
            lzma.finish().unwrap()
        }
    }
}

fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut packed = 0x184c_2102_u32.to_le_bytes().to_vec();
    for block in bytes.chunks(8 << 20) {
        let block = lz4_flex::block::compress(block);
        packed.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
        packed.extend(block);
    }
    packed
}

/// A boot image with a kernel in it, as `arch/x86/boot/header.S` and `scripts/Makefile.lib` make it.
pub(super) fn bzimage(kernel: &[u8], packing: Packing) -> Vec<u8> {
    let mut payload = packed(kernel, packing);
    if packing != Packing::Gzip {
        payload.extend(u32::try_from(kernel.len()).unwrap().to_le_bytes());
    }
    bzimage_of(&payload)
}

/// A boot image with this payload.
pub(super) fn bzimage_of(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 3 * 512];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x1f1, &[2]);
    put(0x1fe, b"\x55\xaa");
    put(0x202, b"HdrS");
    put(0x206, &0x20f_u16.to_le_bytes());
    put(0x20e, &0x100_u16.to_le_bytes());
    put(0x236, &1_u16.to_le_bytes());
    put(0x248, &16_u32.to_le_bytes());
    put(0x24c, &u32::try_from(payload.len()).unwrap().to_le_bytes());
    put(0x300, format!("{RELEASE} (somebody@somewhere) #1\0").as_bytes());
    image.extend([0; 16]);
    image.extend(payload);
    image.extend([0; 64]);
    image
}

/// A Debian package with these files, `./boot/vmlinuz-…` and so on.
pub(super) fn package(control: &str, files: &[(&str, &[u8])], packing: Packing) -> Vec<u8> {
    let ending = match packing {
        Packing::Gzip => "gz",
        Packing::Xz => "xz",
        Packing::Zstd => "zst",
        _ => "lzma",
    };
    let mut deb = b"!<arch>\n".to_vec();
    let control = packed(&tar_of(&[("./control", control.as_bytes())]), packing);
    let data = packed(&tar_of(files), packing);
    let (control_name, data_name) = (format!("control.tar.{ending}"), format!("data.tar.{ending}"));
    for (name, bytes) in
        [("debian-binary", &b"2.0\n"[..]), (control_name.as_str(), &control), (data_name.as_str(), &data)]
    {
        writeln!(deb, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, bytes.len()).unwrap();
        deb.extend(bytes);
        deb.resize(deb.len().next_multiple_of(2), b'\n');
    }
    deb
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, Path::new(path.trim_start_matches("./")), *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}
