//! A program with what it needs to be run where nothing else is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use object::elf::PT_LOAD;
use object::read::elf::{ElfFile64, ProgramHeader};

use crate::image::elf::closure;

/// A program's own bytes, and files of the host that have to be at the same place.
pub(super) struct Packed {
    pub(super) program: Vec<u8>,
    pub(super) libraries: Vec<PathBuf>,
}

/// This very program. What only debuggers read of it is left behind: it is most of a program under development.
pub(super) fn own_program() -> io::Result<Packed> {
    let path = fs::canonicalize("/proc/self/exe")?;
    let found = closure(&path).map_err(io::Error::other)?;
    let libraries =
        found.interpreter.into_iter().chain(found.libraries.into_iter().map(|library| library.path));
    Ok(Packed { program: loaded_part(fs::read(path)?), libraries: libraries.collect() })
}

/// The file up to the end of what is loaded, with no table of sections, which lies behind that (elf(5)).
fn loaded_part(mut bytes: Vec<u8>) -> Vec<u8> {
    let Some(end) = loaded_end(&bytes) else { return bytes };
    bytes.truncate(end);
    // e_shoff, and from e_shnum on: e_shnum, e_shstrndx.
    for range in [0x28..0x30, 0x3c..0x40] {
        if let Some(field) = bytes.get_mut(range) {
            field.fill(0);
        }
    }
    bytes
}

fn loaded_end(bytes: &[u8]) -> Option<usize> {
    let file = ElfFile64::<object::Endianness>::parse(bytes).ok()?;
    let endian = file.endian();
    let loaded = file.elf_program_headers().iter().filter(|header| header.p_type(endian) == PT_LOAD);
    let end = loaded.map(|header| header.p_offset(endian) + header.p_filesz(endian)).max()?;
    usize::try_from(end).ok().filter(|end| *end <= bytes.len())
}

/// Where a path leads in a root filesystem whose folders may be links, as `/lib64` is one to `usr/lib64`: the archive must not put a folder
/// in a link's place.
pub(super) fn within(root: &Path, path: &Path) -> PathBuf {
    let path = path.strip_prefix("/").unwrap_or(path);
    // The last name is the entry's own, and may be a link; of what is above it, the part that is there leads somewhere.
    let above = path.ancestors().skip(1);
    let mut known = above.filter_map(|above| Some((above, fs::canonicalize(root.join(above)).ok()?)));
    let found = known.find_map(|(above, real)| {
        let inside = real.strip_prefix(root).ok()?.to_owned();
        Some(inside.join(path.strip_prefix(above).ok()?))
    });
    Path::new("/").join(found.unwrap_or_else(|| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_by_the_links_of_its_root() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        fs::create_dir_all(root.join("usr/lib/deep")).unwrap();
        std::os::unix::fs::symlink("usr/lib", root.join("lib")).unwrap();
        let check = |path: &str, expected: &str| {
            assert_eq!(within(&root, Path::new(path)), Path::new(expected), "{path}");
        };
        check("/lib/x.so", "/usr/lib/x.so");
        check("/lib/deep/x.so", "/usr/lib/deep/x.so");
        // A folder that is not there yet is made where the link leads, and not in the link's place.
        check("/lib/new/er/x.so", "/usr/lib/new/er/x.so");
        check("/other/x", "/other/x");
        check("/lib", "/lib");
    }
}
