//! What a word can be: files by their content, and the errors about those that are no kernels.

use std::fs;

use super::found;
use super::make::{PACKINGS, Packing, RELEASE, bzimage, bzimage_of, module, package, packed, vmlinux};

/// A kernel in a file of any name; `own` says whether QEMU boots the file itself, and not what was taken out of it.
fn check(bytes: &[u8], own: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it");
    fs::write(&path, bytes).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let kernels = super::kernels(&[path.to_str().unwrap()], None, cache.path()).unwrap();
    let [kernel] = kernels.as_slice() else { panic!("{kernels:?}") };
    assert_eq!((kernel.release.as_str(), kernel.name.as_str()), (RELEASE, RELEASE));
    assert_eq!(kernel.image == path, own);
    assert_eq!(fs::read(kernel.entry.as_ref().unwrap()).unwrap(), vmlinux(true));
}

#[test]
fn an_image_is_unpacked_however_it_is_packed() {
    for packing in PACKINGS {
        check(&bzimage(&vmlinux(true), packing), true);
    }
}

#[test]
fn a_kernel_is_found_in_what_wraps_it() {
    check(&vmlinux(true), true);
    for packing in PACKINGS {
        check(&packed(&vmlinux(true), packing), false);
        check(&packed(&bzimage(&vmlinux(true), Packing::Gzip), packing), false);
    }
    check(&unified(&bzimage(&vmlinux(true), Packing::Zstd)), false);
    check(&zboot(&packed(&vmlinux(true), Packing::Gzip)), false);
    let deb = |packing| {
        package("Package: x\n", &[("./boot/vmlinuz-1", &bzimage(&vmlinux(true), packing))], packing)
    };
    for packing in [Packing::Gzip, Packing::Xz, Packing::Zstd] {
        check(&deb(packing), false);
    }
}

/// An image whose kernel cannot be started by itself is booted untouched.
#[test]
fn an_image_without_an_entry_is_booted_as_it_is() {
    let without = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bzImage");
        fs::write(&path, bytes).unwrap();
        let kernels = found(&[path.to_str().unwrap()]).unwrap();
        assert_eq!((kernels[0].image.as_path(), &kernels[0].entry), (path.as_path(), &None));
        assert_eq!(kernels[0].release, RELEASE);
    };
    without(&bzimage(&vmlinux(false), Packing::Xz));
    without(&bzimage_of(b"BZh9 what is packed by bzip2\0\x10\0\0"));
    without(&bzimage_of(b"\x89LZO\0\r\n what is packed by lzop\0\x10\0\0"));
    let mut old = bzimage(&vmlinux(true), Packing::Gzip);
    old[0x206..0x208].copy_from_slice(&0x207_u16.to_le_bytes());
    without(&old);
}

#[test]
fn what_is_no_kernel_is_told_with_the_mend() {
    let refused = |bytes: &[u8], expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it");
        fs::write(&path, bytes).unwrap();
        let error = found(&[path.to_str().unwrap()]).unwrap_err().to_string();
        assert_eq!(error.replace(path.to_str().unwrap(), "it"), expected);
    };
    let look = "give a bzImage, a vmlinux, a Debian package, or a folder with one of them";
    let kernel_of_it = "give the kernel that it belongs to, the file vmlinuz-… or bzImage";
    let in_it = "give the kernel that is in it, the file vmlinuz-… or bzImage";
    refused(b"", "it is an empty file, and no kernel that can be booted: fetch or build it again");
    refused(b"CONFIG_X=y\n", &format!("it is a text, and no kernel that can be booted: {look}"));
    refused(
        &[0; 4096],
        &format!("it is nothing that airtight knows, and no kernel that can be booted: {look}"),
    );
    refused(b"070701000", &format!("it is an initramfs, and no kernel that can be booted: {kernel_of_it}"));
    let initrd = packed(b"070701000", Packing::Zstd);
    refused(
        &initrd,
        &format!("it is an initramfs, compressed, and no kernel that can be booted: {kernel_of_it}"),
    );
    let rpm = [&b"\xed\xab\xee\xdb"[..], &[0; 100]].concat();
    let unpack = "unpack it (rpm2cpio FILE | cpio -id), and give the folder";
    refused(&rpm, &format!("it is an RPM package, and no kernel that can be booted: {unpack}"));
    let mut iso = vec![0; 0x9000];
    iso[0x8001..0x8006].copy_from_slice(b"CD001");
    refused(&iso, &format!("it is an ISO 9660 image, and no kernel that can be booted: {in_it}"));
    let mut arm64 = vec![0; 4096];
    arm64[..2].copy_from_slice(b"MZ");
    arm64[56..60].copy_from_slice(b"ARM\x64");
    let foreign = "it is a kernel for arm64, and airtight boots those for x86-64";
    refused(&arm64, foreign);
    refused(&packed(&arm64, Packing::Gzip), foreign);
    refused(&zboot(&packed(&arm64, Packing::Gzip)), foreign);
    let no_pvh = "it is a vmlinux without CONFIG_PVH, which QEMU cannot start: give the bzImage that was made of it \
        (arch/x86/boot/bzImage), or build it with CONFIG_PVH=y";
    refused(&vmlinux(false), no_pvh);
    refused(
        &module(""),
        "it is an object file or a kernel module, and no kernel that can be booted: give a bzImage or a vmlinux",
    );
    let program = fs::read(env!("CARGO_BIN_EXE_airtight")).unwrap();
    let program = &program[..program.len().min(1 << 20)];
    refused(program, "it is a program, and no kernel that can be booted: give a bzImage or a vmlinux");
    let mut old = bzimage(&vmlinux(true), Packing::Gzip);
    old[0x236] = 0;
    refused(&old, "it is a kernel for 32-bit x86, and airtight boots those for x86-64");
    let stub = unified_of(b".other", b"nothing");
    let mend = "give a bzImage, or a unified kernel image, which has the section .linux";
    refused(&stub, &format!("it is an EFI program, and no kernel that can be booted: {mend}"));
    let twice = packed(&packed(&vmlinux(true), Packing::Gzip), Packing::Xz);
    refused(&twice, "it is compressed twice, and no kernel that can be booted: unpack it");
}

#[test]
fn packages_without_a_kernel_name_the_one_that_has_it() {
    let refused = |control: &str, expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.deb");
        fs::write(&path, package(control, &[("./usr/share/doc/x", b"text")], Packing::Xz)).unwrap();
        let error = found(&[path.to_str().unwrap()]).unwrap_err().to_string();
        assert_eq!(
            error.replace(path.to_str().unwrap(), "it"),
            format!("it has no kernel in it: {expected}")
        );
    };
    refused(
        "Package: linux-image-7.2\nDepends: dracut | initramfs-tools (>= 0.1), linux-base-7.2 (= 1), linux-binary-7.2 (= 1)\n",
        "it is in the package linux-binary-7.2, which this one depends on; give that",
    );
    refused(
        "Package: linux-image-amd64\nDepends: linux-image-6.12.1-amd64 (= 1)\n",
        "it is in the package linux-image-6.12.1-amd64, which this one depends on; give that",
    );
    refused("Package: hello\n", "give the package linux-image-… or linux-binary-…");
}

#[test]
fn what_is_not_there_is_told() {
    let refused = |word: &str, expected: &str| assert_eq!(found(&[word]).unwrap_err().to_string(), expected);
    refused("/nowhere/vmlinuz", "no kernel is called `/nowhere/vmlinuz`, and there is no such file");
    refused(
        "~/vmlinuz",
        "no kernel is called `~/vmlinuz`, and there is no such file: `~` and `$` stand for themselves here, write the path out",
    );
    refused("/nowhere/vmlinuz-*", "nothing matches `/nowhere/vmlinuz-*`: look with `ls /nowhere/`");
    refused(
        "/proc/self/**x",
        "nothing matches `/proc/self/**x`: it is no pattern (Pattern syntax error near position 13: recursive wildcards must form a single path component)",
    );
    refused(
        "/dev/null",
        "/dev/null is no regular file, and no kernel that can be booted: give a file or a folder",
    );
}

/// An EFI program with a section, as `ukify` makes them: a PE32+ file with nothing else in it.
fn unified(linux: &[u8]) -> Vec<u8> {
    unified_of(b".linux", linux)
}

fn unified_of(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0\x64\x86\x01\0");
    // The optional header has 240 bytes, with 16 directories; the section's header follows it.
    put(0x94, &240_u16.to_le_bytes());
    put(0x98, &0x20b_u16.to_le_bytes());
    put(0x98 + 108, &16_u32.to_le_bytes());
    put(0x188, name);
    let size = u32::try_from(content.len()).unwrap();
    for (at, word) in [(0x190, size), (0x194, 0x1000), (0x198, size), (0x19c, 0x400)] {
        put(at, &word.to_le_bytes());
    }
    image.extend(content);
    image
}

/// A kernel that unpacks itself as an EFI program.
fn zboot(payload: &[u8]) -> Vec<u8> {
    let mut image = b"MZ\0\0zimg".to_vec();
    image.extend(64_u32.to_le_bytes());
    image.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    image.resize(64, 0);
    image.extend(payload);
    image
}
