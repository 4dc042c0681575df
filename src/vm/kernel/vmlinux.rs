//! A kernel as an ELF file: whether QEMU can start it, its release, and the configuration that may be in it.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

use memchr::memmem::find;
use object::elf::{EM_386, EM_AARCH64, EM_RISCV, EM_X86_64, ET_REL, FileHeader64, PT_NOTE};
use object::read::ReadCache;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, ReadRef};

use super::unpack::Bounded;

/// `XEN_ELFNOTE_PHYS32_ENTRY` (`include/xen/interface/elfnote.h`): where QEMU starts a kernel in 32-bit mode, as a PVH guest.
const PHYS32_ENTRY: u32 = 18;

/// What an ELF file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elf {
    /// A program or kernel for x86-64, and whether it has the note by which QEMU starts it.
    Bootable(bool),
    /// For another machine.
    Foreign(&'static str),
    /// An object file, or a kernel module.
    Object,
}

/// Reads the headers of an ELF file.
///
/// # Errors
/// What of it does not fit.
pub(super) fn look(file: &File) -> Result<Elf, String> {
    let cache = ReadCache::new(file);
    let data = &cache;
    let ident = data.read_bytes_at(0, 20).map_err(|()| "it ends within its ELF header".to_owned())?;
    let machine = u16::from_le_bytes([ident[18], ident[19]]);
    match machine {
        machine if machine == EM_X86_64.0 => headers(data).map_err(|error| error.to_string()),
        machine if machine == EM_386.0 => Ok(Elf::Foreign("32-bit x86")),
        machine if machine == EM_AARCH64.0 => Ok(Elf::Foreign("arm64")),
        machine if machine == EM_RISCV.0 => Ok(Elf::Foreign("RISC-V")),
        _ => Ok(Elf::Foreign("another machine")),
    }
}

fn headers<'data, R: ReadRef<'data>>(data: R) -> object::Result<Elf> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    if header.e_type(endian) == ET_REL {
        return Ok(Elf::Object);
    }
    for segment in header.program_headers(endian, data)? {
        if segment.p_type(endian) != PT_NOTE {
            continue;
        }
        let Some(mut notes) = segment.notes(endian, data)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == b"Xen" && note.n_type(endian).0 == PHYS32_ENTRY {
                return Ok(Elf::Bootable(true));
            }
        }
    }
    Ok(Elf::Bootable(false))
}

/// What stands in a kernel's data, wherever it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The release, from the banner `Linux version 6.1.0-56-amd64 (…`.
    pub(super) release: Option<String>,
    /// The configuration, if the kernel was built with `CONFIG_IKCONFIG` (`kernel/configs.c`).
    pub(super) config: Option<String>,
}

const BANNER: &[u8] = b"Linux version ";
const CONFIG: &[u8] = b"IKCFG_ST";

/// So much is looked at together.
const CHUNK: usize = 1 << 20;

/// What a mark and what follows it need at most, for which the end of one chunk is kept before the next.
const OVERLAP: usize = 128;

/// The longest configuration in bytes; those of distributions have some 300 KiB.
pub(super) const LONGEST_CONFIG: u64 = 4 << 20;

/// Searches a kernel's data.
pub(super) fn search(file: &File) -> io::Result<Told> {
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut told = Told::default();
    let (mut window, mut before, mut at_config) = (Vec::with_capacity(CHUNK + OVERLAP), 0_u64, None);
    loop {
        let kept = window.len().min(OVERLAP);
        let drained = window.len() - kept;
        window.drain(..drained);
        before += drained as u64;
        let read = file.take(CHUNK as u64).read_to_end(&mut window)?;
        if told.release.is_none() {
            told.release = banner(&window);
        }
        at_config = at_config.or_else(|| find(&window, CONFIG).map(|at| before + (at + CONFIG.len()) as u64));
        if read == 0 {
            break;
        }
    }
    told.config = at_config.and_then(|at| config(file, at).ok());
    Ok(told)
}

/// The release after the first banner that has one: the format string of another comes before.
fn banner(window: &[u8]) -> Option<String> {
    let mut rest = window;
    while let Some(at) = find(rest, BANNER) {
        rest = &rest[at + BANNER.len()..];
        if let Some(release) = super::release::first_word(rest) {
            return Some(release);
        }
    }
    None
}

fn config(mut file: &File, at: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(at))?;
    let mut text = String::new();
    let unpacked = flate2::bufread::GzDecoder::new(BufReader::new(file));
    Bounded::new(unpacked, LONGEST_CONFIG).read_to_string(&mut text)?;
    Ok(text)
}
