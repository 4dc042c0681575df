//! Where attempts make what they need: scratch names, and the way back to the process's own root.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};

use super::outcome::errno;

/// Where a sandbox may let a process write, the likeliest first.
pub(super) const WRITABLE: [&str; 7] = ["/tmp", "/dev/shm", "/run", "/var/tmp", "/dev", "/root", "/"];

/// Directories that nearly every image has, to mount over where none can be made.
const PRESENT: [&str; 6] = ["/mnt", "/media", "/opt", "/srv", "/home", "/tmp"];

/// A name that nothing else has.
pub(super) fn scratch_name(directory: &str) -> PathBuf {
    Path::new(directory).join(format!(".airtight-{}", std::process::id()))
}

/// A directory to mount on, removed again if it was made for that.
pub(super) struct MountPoint {
    /// Where.
    pub(super) path: PathBuf,
    made: bool,
}

impl MountPoint {
    /// A fresh directory where one can be made, else one that is there.
    pub(super) fn find() -> Option<Self> {
        let fresh = WRITABLE.iter().map(|directory| scratch_name(directory));
        if let Some(path) = fresh.into_iter().find(|path| std::fs::create_dir(path).is_ok()) {
            return Some(Self { path, made: true });
        }
        let path = PRESENT.iter().map(PathBuf::from).find(|path| path.is_dir())?;
        Some(Self { path, made: false })
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        if self.made {
            // rmdir never takes anything but an empty directory with it.
            drop(std::fs::remove_dir(&self.path));
        }
    }
}

/// The process's root and working directory. chroot(2) changes the one; entering a mount namespace both, to that
/// namespace's own root: coming back from there without this would lead out of a chroot.
pub(super) struct Place {
    root: OwnedFd,
    cwd: OwnedFd,
}

impl Place {
    /// Keeps both.
    pub(super) fn keep() -> nix::Result<Self> {
        let directory =
            |path| open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        Ok(Self { root: directory("/")?, cwd: directory(".")? })
    }

    /// Goes back to both.
    pub(super) fn restore(&self) -> nix::Result<()> {
        fchdir(&self.root)?;
        chroot(".")?;
        fchdir(&self.cwd)
    }
}

/// A name in the first directory in which a file can be made; below `/` where there is none, so that the attempt itself
/// tells why not.
pub(super) fn writable_name() -> PathBuf {
    let names = WRITABLE.iter().map(|directory| scratch_name(directory));
    names.into_iter().find(|path| can_create(path).is_ok()).unwrap_or_else(|| scratch_name("/"))
}

fn can_create(path: &Path) -> Result<(), Errno> {
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    created.and_then(|_| std::fs::remove_file(path)).map_err(|error| errno(&error))
}
