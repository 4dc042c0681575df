//! Debian packages (deb(5)): an `ar` archive with two tars, read as streams. Nothing is unpacked but what is asked for.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::copy::unreadable;
use super::error::{KernelError, Result, damaged, io};
use super::format::{Format, Packing};
use super::image::open;
use super::unpack::{Bounded, unpacked};
use crate::image::unpack::Compression;

/// The header of an archive's member (ar(5), `<ar.h>`).
const MEMBER: usize = 60;

/// So many members are looked at; a package has three.
const MEMBERS: usize = 16;

/// The most that a package unpacks to, whatever its size.
const LARGEST: u64 = 8 << 30;

/// The most that it unpacks to for each of its bytes, once it is more than `SMALL`. Real ones reach 6.
const RATIO: u64 = 100;
const SMALL: u64 = 64 << 20;

/// The most entries of a package; those of kernels have some 5000.
const ENTRIES: usize = 200_000;

/// The longest path (`PATH_MAX`).
const LONGEST_PATH: u64 = 4096;

/// The most that is read of a control file.
const CONTROL: u64 = 64 << 10;

/// One of the two tars of a package.
#[derive(Debug, Clone, Copy)]
enum Part {
    Control,
    Data,
}

/// What is done after an entry was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The next one.
    Entry,
    /// Nothing more.
    Stop,
}

/// A package.
#[derive(Debug, Clone)]
pub(super) struct Package {
    path: PathBuf,
}

impl Package {
    /// The package in this file.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Goes through its regular files: the path, without what leads to its root and without the `usr/` that newer packages put before `lib`,
    /// then the size and the content.
    ///
    /// # Errors
    /// It cannot be read, it is damaged, or `each` failed.
    pub(super) fn walk(&self, each: impl FnMut(&str, u64, &mut dyn Read) -> Result<Next>) -> Result<()> {
        self.entries(Part::Data, each)
    }

    /// A field of its control file (deb-control(5)).
    pub(super) fn field(&self, name: &str) -> Result<Option<String>> {
        let mut control = String::new();
        self.entries(Part::Control, |path, _, content| {
            if path != "control" {
                return Ok(Next::Entry);
            }
            content.take(CONTROL).read_to_string(&mut control).map_err(unreadable(&self.path))?;
            Ok(Next::Stop)
        })?;
        let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        Ok(control.lines().find_map(value))
    }

    fn entries(
        &self,
        part: Part,
        mut each: impl FnMut(&str, u64, &mut dyn Read) -> Result<Next>,
    ) -> Result<()> {
        let mut archive = tar::Archive::new(self.part(part)?);
        // The crate would read a long name whole, however long; as raw entries they are ours to bound.
        let entries = archive.entries().map_err(unreadable(&self.path))?.raw(true);
        let mut long = None;
        for (index, entry) in entries.enumerate() {
            let mut entry = entry.map_err(unreadable(&self.path))?;
            if index >= ENTRIES {
                let why = format!("it has more than {ENTRIES} entries");
                return Err(KernelError::Bomb { path: self.path.clone(), why });
            }
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() {
                long = Some(self.long_name(&mut entry)?);
                continue;
            }
            let name = long.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            let size = entry.size();
            if kind.is_file() && each(plain(&String::from_utf8_lossy(&name)), size, &mut entry)? == Next::Stop
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn long_name(&self, entry: &mut impl Read) -> Result<Vec<u8>> {
        let mut name = Vec::new();
        entry.take(LONGEST_PATH).read_to_end(&mut name).map_err(unreadable(&self.path))?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    /// One of its tars, unpacked.
    fn part(&self, part: Part) -> Result<Bounded<Box<dyn Read>>> {
        let mut file = open(&self.path)?;
        let (start, size) = self.member(&mut file, part)?;
        file.seek(SeekFrom::Start(start)).map_err(io("lseek", &self.path))?;
        let mut head = Vec::new();
        (&file).take(size.min(512)).read_to_end(&mut head).map_err(io("read", &self.path))?;
        file.seek(SeekFrom::Start(start)).map_err(io("lseek", &self.path))?;
        let packing = match Format::of(&head) {
            Format::Packed(packing) => packing,
            _ => Packing::Common(Compression::None),
        };
        let most = LARGEST.min(size.saturating_mul(RATIO).max(SMALL));
        let packed = BufReader::with_capacity(1 << 17, file.take(size));
        unpacked(packing, packed, most).map_err(unreadable(&self.path))
    }

    /// Where the content of a member lies, and its size.
    fn member(&self, file: &mut File, part: Part) -> Result<(u64, u64)> {
        let length = file.metadata().map_err(io("stat", &self.path))?.len();
        let mut at = 8;
        for _ in 0..MEMBERS {
            let mut header = [0; MEMBER];
            file.seek(SeekFrom::Start(at)).map_err(io("lseek", &self.path))?;
            file.read_exact(&mut header).map_err(|_| self.cut("it ends before its data"))?;
            let (name, size) =
                fields(&header).ok_or_else(|| self.cut("the header of a member is garbled"))?;
            let start = at + MEMBER as u64;
            if name.starts_with(part.name()) {
                let whole = start + size <= length;
                return whole.then_some((start, size)).ok_or_else(|| {
                    self.cut(&format!("it has {length} bytes, and {name} alone ends at {}", start + size))
                });
            }
            // Members begin at even places.
            at = start + size + size % 2;
        }
        Err(self.cut("it has no data"))
    }

    fn cut(&self, why: &str) -> KernelError {
        damaged(&self.path, why)
    }
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Control => "control.tar",
            Self::Data => "data.tar",
        }
    }
}

/// The name and the size of a member.
fn fields(header: &[u8; MEMBER]) -> Option<(&str, u64)> {
    let name = std::str::from_utf8(&header[..16]).ok()?.trim_end_matches([' ', '/']);
    let size = std::str::from_utf8(&header[48..58]).ok()?.trim_end().parse().ok()?;
    (header[58..] == *b"`\n").then_some((name, size))
}

/// A path without what leads to the root, and without `usr/`.
fn plain(path: &str) -> &str {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    path.strip_prefix("usr/").unwrap_or(path)
}
