//! What a file is, by what it starts with and never by its name.

use crate::image::unpack::Compression;

/// So much of a file's start tells what it is: the mark of an ISO 9660 image stands in its 17th sector of 2 KiB.
pub(super) const HEAD: usize = 0x8006;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// An x86 boot image, as `Documentation/arch/x86/boot.rst` describes it.
    BzImage,
    /// An ELF file.
    Elf,
    /// Something compressed.
    Packed(Packing),
    /// A kernel that unpacks itself as an EFI program (`drivers/firmware/efi/libstub/zboot-header.S`).
    Zboot,
    /// An EFI program; a unified kernel image has its kernel in the section `.linux`.
    Efi,
    /// A Debian package (deb(5)).
    Debian,
    /// A kernel for another machine.
    Foreign(&'static str),
    /// Something that is no kernel: what it is, and what to give instead.
    Other(&'static str, &'static str),
}

/// How something is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Those that images come in as well.
    Common(Compression),
    /// The frames of `lz4 -l`, which `scripts/Makefile.lib` packs kernels with.
    Lz4Legacy,
    /// The file format of the old LZMA utilities.
    Lzma,
    /// One that is not unpacked here; its name.
    Unknown(&'static str),
}

const NOT_ALONE: &str = "give the kernel that it belongs to, the file vmlinuz-… or bzImage";
const INSIDE: &str = "give the kernel that is in it, the file vmlinuz-… or bzImage";
const LOOK: &str = "give a bzImage, a vmlinux, a Debian package, or a folder with one of them";

/// What begins so, in the order in which it is looked for: where it stands, what stands there.
const MARKS: &[(usize, &[u8], Format)] = &[
    (0x202, b"HdrS", Format::BzImage),
    (0, b"\x7fELF", Format::Elf),
    (0, b"!<arch>\ndebian-binary", Format::Debian),
    (0, b"!<arch>\n", Format::Other("an archive of object files", LOOK)),
    (56, b"ARM\x64", Format::Foreign("arm64")),
    (56, b"RSC\x05", Format::Foreign("RISC-V")),
    (0x24, b"\x18\x28\x6f\x01", Format::Foreign("32-bit ARM")),
    (4, b"zimg", Format::Zboot),
    (0, b"MZ", Format::Efi),
    (0, b"\x02\x21\x4c\x18", Format::Packed(Packing::Lz4Legacy)),
    (0, b"\x04\x22\x4d\x18", Format::Packed(Packing::Unknown("lz4 frames"))),
    (0, b"BZh", Format::Packed(Packing::Unknown("bzip2"))),
    (0, b"\x89LZO\0\r\n", Format::Packed(Packing::Unknown("LZO"))),
    (0, b"\x5d\0\0", Format::Packed(Packing::Lzma)),
    (0, b"070701", Format::Other("an initramfs", NOT_ALONE)),
    (0, b"070702", Format::Other("an initramfs", NOT_ALONE)),
    (0, b"070707", Format::Other("a cpio archive", NOT_ALONE)),
    (
        0,
        b"\xed\xab\xee\xdb",
        Format::Other("an RPM package", "unpack it (rpm2cpio FILE | cpio -id), and give the folder"),
    ),
    (0, b"PK\x03\x04", Format::Other("a ZIP archive", INSIDE)),
    (0, b"QFI\xfb", Format::Other("a disk image (qcow2)", INSIDE)),
    (0, b"hsqs", Format::Other("a squashfs", INSIDE)),
    (0, b"ANDROID!", Format::Other("an Android boot image", INSIDE)),
    (0, b"\x27\x05\x19\x56", Format::Other("a U-Boot image", INSIDE)),
    (257, b"ustar", Format::Other("a tar archive", "unpack it, and give the folder")),
    (0x8001, b"CD001", Format::Other("an ISO 9660 image", INSIDE)),
    (510, b"\x55\xaa", Format::Other("a disk image", INSIDE)),
];

impl Format {
    /// By the first [`HEAD`] bytes.
    pub(super) fn of(head: &[u8]) -> Self {
        let marked = |(at, mark, _): &&(usize, &[u8], Self)| {
            head.get(*at..).is_some_and(|rest| rest.starts_with(mark))
        };
        if head.is_empty() {
            return Self::Other("an empty file", "fetch or build it again");
        }
        match Compression::of(head) {
            Compression::None => {
                MARKS.iter().find(marked).map_or_else(|| otherwise(head), |(.., format)| *format)
            }
            compression => Self::Packed(Packing::Common(compression)),
        }
    }
}

/// Files without a mark.
fn otherwise(head: &[u8]) -> Format {
    let start = &head[..head.len().min(512)];
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x20..=0x7e | 0x80..);
    if start.iter().all(is_text) {
        return Format::Other("a text", LOOK);
    }
    Format::Other("nothing that airtight knows", LOOK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_starts_with() {
        let check = |parts: &[(usize, &[u8])], expected: Format| {
            let mut head = vec![0; 0x9000];
            for (at, mark) in parts {
                head[*at..*at + mark.len()].copy_from_slice(mark);
            }
            assert_eq!(Format::of(&head), expected, "{parts:?}");
        };
        for (at, mark, format) in MARKS {
            check(&[(*at, mark)], *format);
        }
        // A bzImage is an EFI program and a boot sector as well, an arm64 kernel may be an EFI program.
        check(&[(0, b"MZ"), (510, b"\x55\xaa"), (0x202, b"HdrS")], Format::BzImage);
        check(&[(0, b"MZ"), (56, b"ARM\x64")], Format::Foreign("arm64"));
        check(&[(0, b"MZ"), (4, b"zimg")], Format::Zboot);
        check(&[(0, b"\x1f\x8b\x08")], Format::Packed(Packing::Common(Compression::Gzip)));
        check(&[], Format::Other("nothing that airtight knows", LOOK));
    }

    #[test]
    fn short_files_are_told_apart() {
        let check = |head: &[u8], expected: &str| match Format::of(head) {
            Format::Other(what, _) => assert_eq!(what, expected),
            other => panic!("{other:?}"),
        };
        check(b"", "an empty file");
        check(b"#!/bin/sh\nexit\n", "a text");
        check("Käse\n".as_bytes(), "a text");
        check(b"\0\0", "nothing that airtight knows");
        for length in 1..0x206 {
            Format::of(&vec![b'M'; length]);
        }
    }
}
