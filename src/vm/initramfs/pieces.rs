//! What a runtime has of the host in a VM, file by file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::closure::within;
use crate::image::elf::{closure, is_elf};
use crate::sandbox::Parcel;
use crate::vm::layout::{LATE, MOUNTED};

/// A file in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Piece {
    /// Where it is there.
    pub(crate) place: PathBuf,
    /// What it is.
    pub(crate) content: Content,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Content {
    /// A copy of one of the host's, with its mode: a program may have the set-user-ID bit.
    Of(PathBuf),
    /// A text.
    Text(String),
    /// An empty directory.
    Directory,
    /// A symbolic link to there.
    Link(PathBuf),
}

/// The longest first line of a script that the kernel looks at (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// How deep directories are copied: a bound.
const DEPTH: usize = 16;

/// All files of a parcel, sorted, but for those that the image `base` has already, whose programs are the guest's own.
pub(crate) fn pieces(parcel: &Parcel, base: &Path) -> io::Result<Vec<Piece>> {
    let mut gathering = Gathering { base, found: BTreeSet::new() };
    for (source, place) in &parcel.programs {
        gathering.program(source, place)?;
    }
    for path in &parcel.copies {
        gathering.copy(path, DEPTH)?;
    }
    for (place, text) in &parcel.files {
        gathering.add(place, Content::Text(text.clone()));
    }
    Ok(gathering.found.into_iter().collect())
}

struct Gathering<'a> {
    base: &'a Path,
    found: BTreeSet<Piece>,
}

impl Gathering<'_> {
    fn add(&mut self, place: &Path, content: Content) {
        let place = within(self.base, place);
        let place = if MOUNTED.iter().any(|above| place.starts_with(above)) {
            Path::new(LATE).join(place.strip_prefix("/").unwrap_or(&place))
        } else {
            place
        };
        self.found.insert(Piece { place, content });
    }

    /// A program, which a directory of the PATH may have under its own name.
    fn program(&mut self, source: &Path, place: &Path) -> io::Result<()> {
        let own = source.file_name().map(|name| self.base.join("usr/bin").join(name));
        if !own.is_some_and(|own| is_same(&own, source)) {
            self.add(place, Content::Of(source.to_owned()));
        }
        self.needs_of(source)
    }

    /// What a program needs to be run: libraries with the loader, or what a script names in its first line.
    fn needs_of(&mut self, program: &Path) -> io::Result<()> {
        if is_elf(program) {
            let found = closure(program).map_err(io::Error::other)?;
            let libraries = found.libraries.into_iter().map(|library| library.path);
            found.interpreter.into_iter().chain(libraries).for_each(|path| self.host_file(&path));
        } else if let Some(interpreter) = interpreter(program)? {
            // One that is a script itself is refused by older kernels.
            self.host_file(&interpreter);
            return if is_elf(&interpreter) { self.needs_of(&interpreter) } else { Ok(()) };
        }
        Ok(())
    }

    /// A file that has to be at the host's own place.
    fn host_file(&mut self, path: &Path) {
        if !is_same(&self.base.join(within(self.base, path).strip_prefix("/").unwrap_or(path)), path) {
            self.add(path, Content::Of(path.to_owned()));
        }
    }

    /// A file or a directory with all that is in it.
    fn copy(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let meta = fs::symlink_metadata(path)?;
        if meta.is_symlink() {
            self.add(path, Content::Link(fs::read_link(path)?));
        } else if meta.is_dir() && depth > 0 {
            self.add(path, Content::Directory);
            for entry in fs::read_dir(path)? {
                self.copy(&entry?.path(), depth - 1)?;
            }
        } else if meta.is_file() {
            self.host_file(path);
            // A library that is loaded by its name is no program, and has no closure of its own.
            let _ = if meta.mode() & 0o111 == 0 { Ok(()) } else { self.needs_of(path) };
        }
        Ok(())
    }
}

/// Whether two files have the same content: the image's is a copy of the host's.
fn is_same(own: &Path, host: &Path) -> bool {
    let meta = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let (Some(left), Some(right)) = (meta(own), meta(host)) else { return false };
    // The bits of who runs it are lost in a copy.
    left.len() == right.len()
        && right.mode() & 0o6000 == 0
        && fs::read(own).ok().is_some_and(|bytes| fs::read(host).ok() == Some(bytes))
}

/// The program that a script names in its first line.
fn interpreter(script: &Path) -> io::Result<Option<PathBuf>> {
    let mut start = Vec::new();
    File::open(script)?.take(FIRST_LINE).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(words) = line.strip_prefix(b"#!") else { return Ok(None) };
    let text = String::from_utf8_lossy(words).into_owned();
    Ok(text.split_ascii_whitespace().next().map(PathBuf::from).filter(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parcel: &Parcel, base: &Path) -> Vec<Piece> {
        pieces(parcel, base).unwrap()
    }

    #[test]
    fn a_script_brings_its_interpreter_and_what_that_needs() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        fs::write(&script, "#!/bin/sh -e\ntrue\n").unwrap();
        let parcel =
            Parcel { programs: vec![(script.clone(), "/usr/local/bin/s".into())], ..Parcel::default() };
        let found = of(&parcel, folder.path());
        let has = |place: &str| found.iter().any(|piece| piece.place == Path::new(place));
        assert!(has("/usr/local/bin/s") && has("/bin/sh"), "{found:?}");
        assert!(found.iter().any(|piece| piece.place.to_string_lossy().contains("libc.so")), "{found:?}");
    }

    #[test]
    fn what_the_image_has_is_not_sent_again() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("usr/bin")).unwrap();
        let program = base.path().join("program");
        fs::write(&program, "one").unwrap();
        fs::write(base.path().join("usr/bin/program"), "one").unwrap();
        let parcel = Parcel {
            programs: vec![(program.clone(), "/usr/local/bin/program".into())],
            ..Parcel::default()
        };
        assert_eq!(of(&parcel, base.path()), []);
        fs::write(&program, "two").unwrap();
        assert_eq!(of(&parcel, base.path()).len(), 1);
    }

    #[test]
    fn a_directory_comes_with_its_links() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("text"), "x").unwrap();
        std::os::unix::fs::symlink("text", below.join("link")).unwrap();
        let parcel = Parcel { copies: vec![folder.path().join("a")], ..Parcel::default() };
        // Where tests have their folders the guest mounts a file system of its own.
        let late = |path: &Path| Path::new(LATE).join(path.strip_prefix("/").unwrap());
        let directory = |path: &Path| Piece { place: late(path), content: Content::Directory };
        let expected = [
            directory(&folder.path().join("a")),
            directory(&below),
            Piece { place: late(&below.join("link")), content: Content::Link("text".into()) },
            Piece { place: late(&below.join("text")), content: Content::Of(below.join("text")) },
        ];
        assert_eq!(of(&parcel, Path::new("/nowhere")), expected);
    }
}
