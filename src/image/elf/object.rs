//! One ELF file: what its program headers and its dynamic section say (elf(5)).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use object::elf::{DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB};
use object::read::ReadCache;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind, ReadRef};

/// What the loader reads of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// Class and machine: the loader passes over libraries of another one.
    pub(super) target: (bool, u16),
    /// `PT_INTERP`.
    pub(super) interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub(super) needed: Vec<String>,
    /// `DT_RPATH`, split at the colons.
    pub(super) rpath: Vec<String>,
    /// `DT_RUNPATH`, split at the colons.
    pub(super) runpath: Vec<String>,
}

/// Whether the file starts as an ELF file does. A file that cannot be read does not.
pub(crate) fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// Reads the file at `path`; only the parts that are asked for, since a program may be hundreds of megabytes.
pub(super) fn read(path: &Path) -> Result<Object, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let cache = ReadCache::new(file);
    match FileKind::parse(&cache).map_err(|error| error.to_string())? {
        FileKind::Elf64 => parse::<object::elf::FileHeader64<Endianness>, _>(&cache),
        FileKind::Elf32 => parse::<object::elf::FileHeader32<Endianness>, _>(&cache),
        other => Err(format!("it is not an ELF file but {other:?}")),
    }
}

fn parse<'data, H: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(data: R) -> Result<Object, String> {
    read_headers::<H, R>(data).map_err(|error| error.to_string())
}

fn read_headers<'data, H, R>(data: R) -> object::Result<Object>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut object =
        Object { target: (header.is_type_64(), header.e_machine(endian).0), ..Object::default() };
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            object.interpreter = Some(text(path));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            let entries: Vec<(i64, u64)> =
                entries.iter().map(|entry| (entry.tag(endian).0, entry.val(endian))).collect();
            let find = |address, size| {
                segments.iter().find_map(|segment| {
                    let load = segment.p_type(endian) == object::elf::PT_LOAD;
                    load.then(|| segment.data_range(endian, data, address, size).ok().flatten()).flatten()
                })
            };
            fill(&mut object, &entries, find);
        }
    }
    Ok(object)
}

/// Takes the strings out of the dynamic section; `find` reads what is at a virtual address.
fn fill<'data>(object: &mut Object, entries: &[(i64, u64)], find: impl Fn(u64, u64) -> Option<&'data [u8]>) {
    let entries: Vec<_> = entries.iter().copied().take_while(|(tag, _)| *tag != DT_NULL.0).collect();
    let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let (Some(address), Some(size)) = (value(DT_STRTAB.0), value(DT_STRSZ.0)) else { return };
    let strings = find(address, size).unwrap_or_default();
    for (tag, offset) in entries {
        let Some(string) = string_at(strings, offset) else { continue };
        match tag {
            tag if tag == DT_NEEDED.0 => object.needed.push(string),
            tag if tag == DT_RPATH.0 => object.rpath = split(&string),
            tag if tag == DT_RUNPATH.0 => object.runpath = split(&string),
            _ => {}
        }
    }
}

fn string_at(strings: &[u8], offset: u64) -> Option<String> {
    let rest = strings.get(usize::try_from(offset).ok()?..)?;
    rest.iter().position(|byte| *byte == 0).map(|end| text(&rest[..end]))
}

fn split(paths: &str) -> Vec<String> {
    paths.split(':').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
