//! Makes the file that one entry stands for.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use tar::{Entry, EntryType};

use super::place::{Absent, folder, parts};
use crate::image::Missing;
use crate::sys::Failure;

/// What became of an entry.
#[derive(Debug)]
pub(super) enum Made {
    /// It is there; its metadata is to be set.
    New,
    /// It is another name of a file that has its metadata.
    Link,
    /// It could not be made here, and is reported.
    Not(Missing),
}

/// Makes `entry` at `path`. `budget` is how many bytes files may still take; what is written is subtracted.
pub(super) fn make<R: Read>(
    entry: &mut Entry<'_, R>,
    root: &Path,
    path: &Path,
    name: &str,
    budget: &mut u64,
) -> Result<Made, String> {
    let kind = entry.header().entry_type();
    make_room(path, kind)?;
    match kind {
        // `7` is contiguous, which POSIX lets one read as regular; so is what old tars mark with a zero byte.
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            write(entry, path, budget).map(|()| Made::New)
        }
        EntryType::Directory => make_folder(path).map(|()| Made::New),
        EntryType::Symlink => symlink(entry, path).map(|()| Made::New),
        EntryType::Link => hard_link(entry, root, path).map(|()| Made::Link),
        EntryType::Char | EntryType::Block | EntryType::Fifo => node(entry, path, name),
        other => Err(format!(
            "it is of the type {:?}, which no root filesystem holds",
            char::from(other.as_byte())
        )),
    }
}

/// Takes away what is in the way: everything but a folder where a folder comes. A link is replaced, never followed.
fn make_room(path: &Path, kind: EntryType) -> Result<(), String> {
    let taken = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| error.to_string())?,
    };
    let removed = match (taken.is_dir(), kind) {
        (true, EntryType::Directory) => Ok(()),
        (true, _) => std::fs::remove_dir_all(path),
        (false, _) => std::fs::remove_file(path),
    };
    removed.map_err(|error| format!("it cannot replace what is there: {error}"))
}

/// Writes the content, no more than there is a budget for and no less than the header promises.
fn write<R: Read>(entry: &mut Entry<'_, R>, path: &Path, budget: &mut u64) -> Result<(), String> {
    let size = entry.size();
    if size > *budget {
        return Err(format!(
            "a bomb: it claims {size} bytes, and the image has only {budget} left of its limit"
        ));
    }
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let open = File::options().write(true).create_new(true).mode(0o600).custom_flags(nofollow).open(path);
    let mut file = open.map_err(|error| Failure::from_io("open", &[&path], &error).to_string())?;
    let copied = std::io::copy(entry, &mut file).map_err(|error| error.to_string())?;
    *budget -= copied;
    if copied == size {
        Ok(())
    } else {
        Err(format!("truncated: it has {copied} bytes of the {size} that its header states"))
    }
}

fn make_folder(path: &Path) -> Result<(), String> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Failure::from_io("mkdir", &[&path], &error).to_string())
        }
        _ => Ok(()),
    }
}

/// A link may lead anywhere: it is only a text until something goes through it.
fn symlink<R: Read>(entry: &Entry<'_, R>, path: &Path) -> Result<(), String> {
    let target = target(entry)?;
    std::os::unix::fs::symlink(&target, path)
        .map_err(|error| Failure::from_io("symlink", &[&target, &path], &error).to_string())
}

/// A hard link leads to a file of the image that is already there.
fn hard_link<R: Read>(entry: &Entry<'_, R>, root: &Path, path: &Path) -> Result<(), String> {
    let target = target(entry)?;
    let shown = target.display();
    let mut way = parts(target.as_os_str().as_bytes())
        .map_err(|_| format!("its hard link {shown} leads upwards with `..`"))?;
    let last = way.pop().ok_or_else(|| "it is a hard link to the root".to_owned())?;
    let parent = folder(root, &way, Absent::Stop).map_err(|why| format!("its hard link {shown}: {why}"))?;
    let file = parent
        .map(|parent| parent.join(last))
        .filter(|file| file.symlink_metadata().is_ok_and(|meta| !meta.is_dir()));
    let file =
        file.ok_or_else(|| format!("it is a hard link to {shown}, which is no file of the image so far"))?;
    // linkat(2) without AT_SYMLINK_FOLLOW: a link to a symbolic link is a link to that.
    std::fs::hard_link(&file, path)
        .map_err(|error| Failure::from_io("link", &[&file, &path], &error).to_string())
}

fn target<R: Read>(entry: &Entry<'_, R>) -> Result<PathBuf, String> {
    let name = entry
        .link_name_bytes()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| "it is a link to nothing".to_owned())?;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(&name)))
}

/// Devices and FIFOs. An ordinary user may not make devices (mknod(2)): that is reported, and the rest goes on.
fn node<R: Read>(entry: &Entry<'_, R>, path: &Path, name: &str) -> Result<Made, String> {
    let (kind, device, what) = match entry.header().entry_type() {
        EntryType::Fifo => (SFlag::S_IFIFO, 0, "FIFO".to_owned()),
        other => {
            let (major, minor) = numbers(entry.header())?;
            let (kind, what) = if other == EntryType::Char {
                (SFlag::S_IFCHR, "character")
            } else {
                (SFlag::S_IFBLK, "block")
            };
            (kind, makedev(major.into(), minor.into()), format!("{what} device {major}:{minor}"))
        }
    };
    match mknod(path, kind, Mode::S_IRUSR, device) {
        Ok(()) => Ok(Made::New),
        Err(errno @ (Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS)) => {
            let why = Failure::new("mknod", &[&path, &what], errno).to_string();
            Ok(Made::Not(Missing { path: name.to_owned(), what, why }))
        }
        Err(errno) => Err(Failure::new("mknod", &[&path, &what], errno).to_string()),
    }
}

fn numbers(header: &tar::Header) -> Result<(u32, u32), String> {
    let number = |value: std::io::Result<Option<u32>>| {
        value.map(Option::unwrap_or_default).map_err(|error| error.to_string())
    };
    Ok((number(header.device_major())?, number(header.device_minor())?))
}
