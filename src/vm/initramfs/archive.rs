//! An archive in the form that the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst): newc, of which several may stand
//! one behind another.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use cpio::newc::{Builder, trailer};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

/// An archive being written.
pub(super) struct Archive<W: Write> {
    out: W,
    /// Numbers are the archive's own: two entries of one number are one file.
    inode: u32,
    /// Directories that are there.
    made: BTreeSet<PathBuf>,
}

impl<W: Write> Archive<W> {
    /// An empty one. Archives that are put together need numbers of their own: `first` is where these begin.
    pub(super) fn new(out: W, first: u32) -> Self {
        Self { out, inode: first, made: BTreeSet::new() }
    }

    /// A directory, with those above it where they are not there.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let path = below_root(path);
        if path.as_os_str().is_empty() || self.made.contains(&path) {
            return Ok(());
        }
        self.above(&path)?;
        let entry = Builder::new(&text(&path)?).mode(DIRECTORY | mode).nlink(2);
        self.made.insert(path);
        self.entry(entry, &[])
    }

    /// A file with this content.
    pub(super) fn file(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let path = below_root(path);
        self.above(&path)?;
        self.entry(Builder::new(&text(&path)?).mode(FILE | mode).nlink(1), content)
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        let path = below_root(path);
        self.above(&path)?;
        self.entry(Builder::new(&text(&path)?).mode(LINK | 0o777).nlink(1), target.as_os_str().as_bytes())
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &Path, mode: u32, number: (u32, u32)) -> io::Result<()> {
        let path = below_root(path);
        self.above(&path)?;
        let entry = Builder::new(&text(&path)?).mode(CHARACTER | mode).nlink(1);
        self.entry(entry.rdev_major(number.0).rdev_minor(number.1), &[])
    }

    /// All that is below a folder of the host, at these places: a file is there once, under as many names. What belongs to whoever made the
    /// folder belongs to root there.
    pub(super) fn tree(&mut self, folder: &Path, places: &[&Path]) -> io::Result<()> {
        let owner = fs::metadata(folder)?;
        self.level(folder, places, (owner.uid(), owner.gid()))
    }

    fn level(&mut self, folder: &Path, places: &[&Path], root: (u32, u32)) -> io::Result<()> {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        entries.sort();
        for place in places {
            self.directory(place, fs::metadata(folder)?.mode() & 0o7777)?;
        }
        for source in entries {
            let name = source.file_name().unwrap_or_default();
            let targets: Vec<PathBuf> = places.iter().map(|place| place.join(name)).collect();
            let targets: Vec<&Path> = targets.iter().map(PathBuf::as_path).collect();
            let meta = fs::symlink_metadata(&source)?;
            if meta.is_dir() {
                self.level(&source, &targets, root)?;
            } else {
                self.leaf(&source, &meta, &targets, root)?;
            }
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        source: &Path,
        meta: &fs::Metadata,
        targets: &[&Path],
        root: (u32, u32),
    ) -> io::Result<()> {
        if meta.is_symlink() {
            let to = fs::read_link(source)?;
            return targets.iter().try_for_each(|target| self.link(target, &to));
        }
        let mut content = Vec::new();
        if meta.is_file() {
            File::open(source)?.read_to_end(&mut content)?;
        }
        self.inode += 1;
        let inode = self.inode;
        let links = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let theirs = |id: u32, own: u32| if id == own { 0 } else { id };
        for (number, target) in targets.iter().enumerate() {
            let path = below_root(target);
            self.above(&path)?;
            let entry = Builder::new(&text(&path)?).mode(meta.mode()).ino(inode).nlink(links);
            let entry = entry.uid(theirs(meta.uid(), root.0)).gid(theirs(meta.gid(), root.1));
            let device = nix::sys::stat::major(meta.rdev());
            let entry = entry.rdev_major(small(device)).rdev_minor(small(nix::sys::stat::minor(meta.rdev())));
            // The content comes with the first of its names.
            write(&mut self.out, entry, if number == 0 { &content } else { &[] })?;
        }
        Ok(())
    }

    /// The archive's end.
    pub(super) fn finish(self) -> io::Result<W> {
        trailer(self.out)
    }

    fn above(&mut self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |parent| self.directory(parent, 0o755))
    }

    fn entry(&mut self, entry: Builder, content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        write(&mut self.out, entry.ino(self.inode), content)
    }
}

fn write(out: &mut impl Write, entry: Builder, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len())
        .map_err(|_| io::Error::other("a file of 4 GiB or more has no place in an initramfs"))?;
    let mut writer = entry.write(out, size);
    writer.write_all(content)?;
    writer.finish().map(drop)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Names in an archive are relative to the root, and never lead out of it.
fn below_root(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn text(path: &Path) -> io::Result<String> {
    let named = path.to_str().map(str::to_owned);
    named.ok_or_else(|| io::Error::other(format!("{} is no text", path.display())))
}
