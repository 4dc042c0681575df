//! Where attempts make what they need: scratch names, and the way back to the process's own root.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use super::outcome::errno;

/// Where a sandbox may let a process write, the likeliest first.
pub(super) const WRITABLE: [&str; 7] = ["/tmp", "/dev/shm", "/run", "/var/tmp", "/dev", "/root", "/"];

/// Directories that nearly every image has, to mount over where none can be made.
const PRESENT: [&str; 6] = ["/mnt", "/media", "/opt", "/srv", "/home", "/tmp"];

/// A name that nothing else has. It is random, because sandboxes that share a directory may share their PID too: 1.
pub(super) fn scratch_name(directory: &str) -> PathBuf {
    // The keys of a hasher of std are random numbers of the kernel, or the next best where it gives none.
    let random = RandomState::new().build_hasher().finish();
    Path::new(directory).join(format!(".airtight-{random:016x}"))
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

    /// Goes back to both, if the process is no longer there: an ordinary process may not chroot(2).
    pub(super) fn restore(&self) -> nix::Result<()> {
        if identity(&self.root, "")? == identity(CWD, "/")? && identity(&self.cwd, "")? == identity(CWD, ".")?
        {
            return Ok(());
        }
        fchdir(&self.root)?;
        chroot(".")?;
        fchdir(&self.cwd)
    }
}

/// What tells a directory from every other, on whichever mount it is seen.
fn identity(directory: impl AsFd, path: &str) -> nix::Result<(u32, u32, u64, u64)> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = statx(directory, path, AtFlags::EMPTY_PATH, mask).map_err(|error| errno(&error.into()))?;
    Ok((stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino, stat.stx_mnt_id))
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
