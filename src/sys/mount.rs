//! Mounts by descriptor: what mount(8)'s classic call cannot say.
#![expect(unsafe_code, reason = "mount_setattr has no wrapper in nix or rustix")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
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
    set_attributes(tree, 0, &attr)
        .map_err(|errno| Failure::new("mount_setattr", &[&"MOUNT_ATTR_IDMAP"], errno))
}

/// Makes a mount and all below it read-only. mount(2) can change one mount at a time, and leaves what came along with a bind mount as
/// writable as it was (`mount_setattr(2)`, `AT_RECURSIVE`, Linux 5.12; before that there is no such call, and nothing is done).
pub fn make_read_only_below(mount: BorrowedFd<'_>) -> Result<()> {
    let attr = MountAttr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    match set_attributes(mount, libc::AT_RECURSIVE, &attr) {
        Ok(()) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(Failure::new("mount_setattr", &[&"AT_RECURSIVE", &"MOUNT_ATTR_RDONLY"], errno)),
    }
}

fn set_attributes(mount: BorrowedFd<'_>, flags: i32, attr: &MountAttr) -> nix::Result<()> {
    // SAFETY: the path is an empty C string, `attr` is a valid `struct mount_attr` of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}

fn failure(call: &str, operands: &[&dyn std::fmt::Debug], errno: rustix::io::Errno) -> Failure {
    Failure::new(call, operands, Errno::from_raw(errno.raw_os_error()))
}
