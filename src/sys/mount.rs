//! Mounts by descriptor: what mount(8)'s classic call cannot say.
#![expect(unsafe_code, reason = "mount_setattr has no wrapper in nix or rustix")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::MsFlags;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::{Failure, Result};

/// A detached copy of the mount that `path` lies on, with `path` as its root: it can be given an id map, and handed to a
/// process that could not reach `path` itself (`open_tree(2)` with `OPEN_TREE_CLONE`).
pub fn clone_tree(path: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(rustix::fs::CWD, path, flags).map_err(|errno| failure("open_tree", &[&path], errno))
}

/// Mounts a detached mount at `target` (`move_mount(2)`).
pub fn attach(tree: BorrowedFd<'_>, target: &Path) -> Result<()> {
    move_mount(tree, "", rustix::fs::CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|errno| failure("move_mount", &[&target], errno))
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Makes a detached mount show its files' owners through the id map of a user namespace: what is root's on disk is the
/// namespace's root's (`mount_setattr(2)`, `MOUNT_ATTR_IDMAP`, Linux 5.12).
pub fn map_ids(tree: BorrowedFd<'_>, user_namespace: &impl AsFd) -> Result<()> {
    let userns_fd = u64::try_from(user_namespace.as_fd().as_raw_fd()).unwrap_or(u64::MAX);
    let attr = MountAttr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd };
    mount_setattr(tree, libc::AT_EMPTY_PATH, &attr)
        .map_err(|errno| Failure::new("mount_setattr", &[&"MOUNT_ATTR_IDMAP"], errno))
}

/// Gives a mount, which an open descriptor is the root of, and all mounts below it these flags; only `MS_RDONLY`, `MS_NOSUID`,
/// `MS_NODEV` and `MS_NOEXEC` are passed on (`mount_setattr(2)`, `AT_RECURSIVE`). Whether it could: a kernel before 5.12 cannot.
pub fn restrict_tree(mount: BorrowedFd<'_>, flags: MsFlags) -> Result<bool> {
    let pairs = [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ];
    let attr_set =
        pairs.iter().filter(|(flag, _)| flags.contains(*flag)).fold(0, |set, (_, attr)| set | attr);
    let attr = MountAttr { attr_set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    match mount_setattr(mount, libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attr) {
        Err(Errno::ENOSYS) => Ok(false),
        Err(errno) => Err(Failure::new("mount_setattr", &[&"AT_RECURSIVE", &flags], errno)),
        Ok(()) => Ok(true),
    }
}

fn mount_setattr(mount: BorrowedFd<'_>, flags: i32, attr: &MountAttr) -> nix::Result<()> {
    // SAFETY: the path is an empty C string, `attr` is a valid `struct mount_attr` of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}

fn failure(call: &str, operands: &[&dyn std::fmt::Debug], errno: rustix::io::Errno) -> Failure {
    Failure::new(call, operands, Errno::from_raw(errno.raw_os_error()))
}
