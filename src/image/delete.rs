//! Deletes a tree without following a symbolic link and without crossing a mount.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::error::{Result, io};

/// How deep a tree may be: each level holds a descriptor open, so that no path is ever looked up twice.
const DEPTH: usize = 400;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Deletes `path` with everything below it; nothing there is fine. A mount below it stops the deletion with EXDEV, because
/// what is mounted is not ours.
pub(crate) fn tree(path: &Path) -> Result<()> {
    delete(path).map_err(|error| io("delete", path)(error.into()))
}

fn delete(path: &Path) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // unlink(2): a directory gives EISDIR on Linux, EPERM as POSIX has it.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    make_accessible(CWD, path)?;
    empty(&rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?, DEPTH)?;
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)
}

/// Deletes what is in a directory, at most `depth` levels of it.
fn empty(directory: &OwnedFd, depth: usize) -> rustix::io::Result<()> {
    let deeper = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            delete_in(directory.as_fd(), entry.file_name(), deeper)?;
        }
    }
    Ok(())
}

fn delete_in(parent: BorrowedFd<'_>, name: &std::ffi::CStr, depth: usize) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return done,
    }
    make_accessible(parent, name)?;
    // openat2(2): NO_XDEV refuses to enter a mount, a bind mount of the same file system too.
    let flags = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    empty(&rustix::fs::openat2(parent, name, DIRECTORY, Mode::empty(), flags)?, depth)?;
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Gives the owner all rights on a directory: an image may hold directories of mode 0, which stop an ordinary user.
fn make_accessible<P: rustix::path::Arg + Copy>(parent: BorrowedFd<'_>, name: P) -> rustix::io::Result<()> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    let directory = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    if !directory || mode.contains(Mode::RWXU) || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    rustix::fs::chmodat(parent, name, mode | Mode::RWXU, AtFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn deletes_a_tree_but_nothing_that_its_links_lead_to() {
        let place = tempfile::tempdir().unwrap();
        let (victim, doomed) = (place.path().join("victim"), place.path().join("doomed"));
        std::fs::create_dir_all(victim.join("kept")).unwrap();
        std::fs::create_dir_all(doomed.join("a/b/c")).unwrap();
        symlink(&victim, doomed.join("a/link")).unwrap();
        std::fs::set_permissions(doomed.join("a/b"), std::fs::Permissions::from_mode(0o0)).unwrap();
        tree(&doomed).unwrap();
        assert!(!doomed.exists() && victim.join("kept").exists());
    }

    #[test]
    fn deletes_a_link_and_not_its_target() {
        let place = tempfile::tempdir().unwrap();
        let (victim, link) = (place.path().join("victim"), place.path().join("link"));
        std::fs::create_dir(&victim).unwrap();
        symlink(&victim, &link).unwrap();
        tree(&link).unwrap();
        assert!(victim.exists() && link.symlink_metadata().is_err());
    }

    #[test]
    fn nothing_there_is_fine() {
        tree(Path::new("/nowhere/at/all")).unwrap();
    }
}
