//! From a file to a kernel that can be booted: what it is, what is packed in it, and its release.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bzimage::{BzImage, LARGEST, Payload};
use super::cache::{Cache, digest_of, sha256};
use super::copy::{copy, unreadable};
use super::error::{KernelError, Result, damaged, io, not_kernel};
use super::format::{Format, HEAD, Packing};
use super::unpack::unpacked;
use super::vmlinux::{Elf, look, search};
use crate::image::Stamp;

/// The largest file that is read whole: a boot image, or what wraps one.
const LARGEST_IMAGE: u64 = 512 << 20;

/// The largest ELF file: a vmlinux with all its debug information has some gigabyte.
const LARGEST_ELF: u64 = 4 << 30;

/// A kernel that wraps a kernel that wraps a kernel is none.
const DEEPEST: u8 = 3;

/// A kernel that can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// What QEMU boots untouched.
    pub(super) path: PathBuf,
    /// The digest of that.
    pub(super) digest: String,
    pub(super) release: String,
    /// The ELF file with a PVH note.
    pub(super) entry: Option<PathBuf>,
    /// The configuration that the kernel carries.
    pub(super) config: Option<String>,
}

/// The same as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    /// The digest of the image.
    digest: String,
    /// Whether it is in the cache, and not the file itself.
    taken_out: bool,
    release: String,
    entry: Entry,
    config: Option<String>,
}

/// Where the ELF file is.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Entry {
    None,
    Image,
    Unpacked(String),
}

/// The kernel of this file.
///
/// # Errors
/// It is none, it is damaged, or it cannot be booted here.
pub(super) fn image(path: &Path, cache: &Cache) -> Result<Image> {
    let stamp = Stamp::of(path).text();
    if let Some(image) = cache.recall("image", &stamp).and_then(|kept| found(kept, path, cache)) {
        return Ok(image);
    }
    let kept = examine(path, path, cache, DEEPEST)?;
    cache.record("image", &stamp, &kept)?;
    found(kept, path, cache).ok_or_else(|| damaged(path, "what was unpacked from it has gone from the cache"))
}

/// What is kept, where all of it is still there.
fn found(kept: Kept, path: &Path, cache: &Cache) -> Option<Image> {
    let path = if kept.taken_out { cache.file(&kept.digest)? } else { path.to_owned() };
    let entry = match kept.entry {
        Entry::None => None,
        Entry::Image => Some(path.clone()),
        Entry::Unpacked(digest) => Some(cache.file(&digest)?),
    };
    Some(Image { path, digest: kept.digest, release: kept.release, entry, config: kept.config })
}

/// Looks at the file at `path`, which was given as `given` or taken out of that.
fn examine(path: &Path, given: &Path, cache: &Cache, deepest: u8) -> Result<Kept> {
    let file = open(path)?;
    match Format::of(&head(&file).map_err(io("read", path))?) {
        Format::BzImage => boot_image(&bytes(&file, given)?, given, cache),
        Format::Elf => vmlinux(file, given),
        Format::Packed(packing) => {
            let digest = unwrap(&file, packing, given, cache)?;
            within(&digest, given, cache, deepest)
        }
        Format::Efi => {
            let linux = section(&bytes(&file, given)?, given)?;
            within(&cache.keep_bytes(&linux)?, given, cache, deepest)
        }
        Format::Zboot => {
            let digest = zboot(&bytes(&file, given)?, given, cache)?;
            within(&digest, given, cache, deepest)
        }
        Format::Debian => {
            Err(not_kernel(given, "a Debian package within another file", "give the package itself"))
        }
        Format::Foreign(machine) => Err(foreign(given, machine)),
        Format::Other(what, mend) => Err(not_kernel(given, what, mend)),
    }
}

/// Looks at what was taken out of a file and is in the cache now.
fn within(digest: &str, given: &Path, cache: &Cache, deepest: u8) -> Result<Kept> {
    let gone = || damaged(given, "what was unpacked from it has gone from the cache");
    let deeper = deepest.checked_sub(1).ok_or_else(|| damaged(given, "it is packed in itself"))?;
    let kept = examine(&cache.file(digest).ok_or_else(gone)?, given, cache, deeper)?;
    Ok(Kept { taken_out: true, ..kept })
}

fn boot_image(image: &[u8], given: &Path, cache: &Cache) -> Result<Kept> {
    let header = BzImage::parse(image).map_err(|why| damaged(given, why))?;
    if !header.is_64 {
        return Err(foreign(given, "32-bit x86"));
    }
    let digest = digest_of(image);
    let mut kept =
        Kept { digest, taken_out: false, release: header.release, entry: Entry::None, config: None };
    // A packing that is not unpacked here costs time at boot, and nothing else.
    let digest = match header.payload.map(|payload| unpack(payload, given, cache)) {
        None | Some(Err(KernelError::NotKernel { .. })) => return Ok(kept),
        Some(digest) => digest?,
    };
    let path = cache.file(&digest).ok_or_else(|| damaged(given, "the cache does not keep it"))?;
    let file = open(&path)?;
    if look(&file) == Ok(Elf::Bootable(true)) {
        kept.entry = Entry::Unpacked(digest);
    }
    kept.config = search(&file).map_err(io("read", &path))?.config;
    Ok(kept)
}

/// Unpacks what is in a boot image, exactly as much as there must be.
fn unpack(payload: Payload<'_>, given: &Path, cache: &Cache) -> Result<String> {
    let size = u64::from(payload.size);
    if size > LARGEST {
        let why = format!("the kernel in it claims to have {size} bytes");
        return Err(KernelError::Bomb { path: given.to_owned(), why });
    }
    cache.keep(|writer| {
        let stream = unpacked(payload.packing, payload.packed, size).map_err(unreadable(given))?;
        let real = copy(stream, writer, given, cache.folder())?;
        if real != size {
            let why = format!("the kernel in it unpacks to {real} bytes instead of {size}");
            return Err(damaged(given, why));
        }
        Ok(())
    })
}

fn vmlinux(file: File, given: &Path) -> Result<Kept> {
    if file.metadata().map_err(io("stat", given))?.len() > LARGEST_ELF {
        return Err(too_large(given, LARGEST_ELF));
    }
    match look(&file).map_err(|why| damaged(given, why))? {
        Elf::Foreign(machine) => return Err(foreign(given, machine)),
        Elf::Object => {
            return Err(not_kernel(
                given,
                "an object file or a kernel module",
                "give a bzImage or a vmlinux",
            ));
        }
        Elf::Bootable(_) => {}
    }
    let told = search(&file).map_err(io("read", given))?;
    let Some(release) = told.release else {
        return Err(not_kernel(given, "a program", "give a bzImage or a vmlinux"));
    };
    if look(&file) != Ok(Elf::Bootable(true)) {
        return Err(KernelError::NoPvh { path: given.to_owned() });
    }
    let digest = rewound(file).and_then(sha256).map_err(io("read", given))?;
    Ok(Kept { digest, taken_out: false, release, entry: Entry::Image, config: told.config })
}

/// Unpacks a whole file that is compressed, once its start is known to be that of a kernel.
fn unwrap(file: &File, packing: Packing, given: &Path, cache: &Cache) -> Result<String> {
    let stream = || -> Result<_> {
        let file = rewound(file.try_clone().map_err(io("dup", given))?).map_err(io("lseek", given))?;
        unpacked(packing, BufReader::new(file), LARGEST_IMAGE).map_err(unreadable(given))
    };
    let mut head = Vec::new();
    stream()?.take(HEAD as u64).read_to_end(&mut head).map_err(unreadable(given))?;
    match Format::of(&head) {
        Format::BzImage | Format::Elf | Format::Efi | Format::Zboot => {}
        Format::Foreign(machine) => return Err(foreign(given, machine)),
        Format::Packed(_) => return Err(not_kernel(given, "compressed twice", "unpack it")),
        Format::Other(what, mend) => return Err(not_kernel(given, format!("{what}, compressed"), mend)),
        Format::Debian => return Err(not_kernel(given, "a Debian package, compressed", "unpack it")),
    }
    cache.keep(|writer| copy(stream()?, writer, given, cache.folder()).map(drop))
}

/// The kernel in an EFI program.
fn section(image: &[u8], given: &Path) -> Result<Vec<u8>> {
    use object::{Object as _, ObjectSection as _};
    let program = object::File::parse(image).map_err(|error| damaged(given, error.to_string()))?;
    let Some(section) = program.section_by_name(".linux") else {
        let mend = "give a bzImage, or a unified kernel image, which has the section .linux";
        return Err(not_kernel(given, "an EFI program", mend));
    };
    Ok(section.data().map_err(|error| damaged(given, error.to_string()))?.to_owned())
}

/// The kernel in an EFI program that unpacks itself: where it lies and how it is packed stands in its header.
fn zboot(image: &[u8], given: &Path, cache: &Cache) -> Result<String> {
    let double = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?) as usize);
    let range = double(8).zip(double(12)).and_then(|(at, size)| image.get(at..at.checked_add(size)?));
    let packed = range.ok_or_else(|| damaged(given, "it ends before the kernel in it does"))?;
    let Format::Packed(packing) = Format::of(packed) else {
        return Err(damaged(given, "the kernel in it is packed in no way that is known"));
    };
    cache.keep(|writer| {
        let stream = unpacked(packing, packed, LARGEST).map_err(unreadable(given))?;
        copy(stream, writer, given, cache.folder()).map(drop)
    })
}

fn foreign(path: &Path, machine: &str) -> KernelError {
    KernelError::Foreign { path: path.to_owned(), machine: machine.to_owned() }
}

fn too_large(path: &Path, most: u64) -> KernelError {
    KernelError::Bomb { path: path.to_owned(), why: format!("it has more than {most} bytes") }
}

/// Opens a regular file: a FIFO would be waited for, a device could be endless.
pub(super) fn open(path: &Path) -> Result<File> {
    let meta = std::fs::metadata(path).map_err(io("stat", path))?;
    if !meta.is_file() {
        return Err(not_kernel(path, "no regular file", "give a file or a folder"));
    }
    File::open(path).map_err(io("open", path))
}

/// The first bytes of a file.
pub(super) fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    rewound(file.try_clone()?)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn bytes(file: &File, given: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = file.try_clone().and_then(rewound).map_err(io("lseek", given))?;
    file.take(LARGEST_IMAGE + 1).read_to_end(&mut bytes).map_err(io("read", given))?;
    if bytes.len() as u64 > LARGEST_IMAGE {
        return Err(too_large(given, LARGEST_IMAGE));
    }
    Ok(bytes)
}

fn rewound(mut file: File) -> io::Result<File> {
    io::Seek::rewind(&mut file)?;
    Ok(file)
}
