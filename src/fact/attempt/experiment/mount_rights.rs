//! What may be changed of mounts that come from a namespace with more rights; `mount_setattr(2)`; id-mapped mounts.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::mount::OpenTreeFlags;

use super::Experiment;
use super::child::{start, within};
use super::ground::{bind, directory, file, namespace, open_directory, own_scratch, tmpfs_at};
use super::pid::waits;
use super::pidfd::{failed, number};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::calls::{MountChange, mount_setattr};

/// A mount namespace with less rights than that which made the mounts: it belongs to another user namespace.
const LESS: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "locked_flag",
        &["ro", "nosuid", "nodev", "noexec", "noatime"],
        "a remount without that flag, in a mount namespace with less rights than that which set it",
        locked_flag,
    ),
    Experiment::plain(
        "locked_flag_kept",
        "a remount with the locked flag and a further one, there",
        locked_flag_kept,
    ),
    Experiment::of(
        "locked_mount",
        &["alone", "whole", "own"],
        "umount() of a mount that came with others from a namespace with more rights; of all; of one made there",
        locked_mount,
    ),
    Experiment::plain(
        "locked_bind",
        "mount(MS_BIND) of a directory below which something lies that came from a namespace with more rights",
        locked_bind,
    ),
    Experiment::plain(
        "outer_flags",
        "the root's flags after a recursive bind and a read-only remount in a namespace with less rights",
        outer_flags,
    ),
    Experiment::of(
        "mount_setattr",
        &["unknown", "zero_tail", "tail", "short", "both_ways", "no_mount", "foreign", "read_only", "busy"],
        "mount_setattr() with wrong operands, on a mount of another's, or with MOUNT_ATTR_RDONLY",
        setattr,
    ),
    Experiment::of(
        "setattr_recursive",
        &["whole", "alone"],
        "mount_setattr(MOUNT_ATTR_RDONLY), with AT_RECURSIVE and without: write() on a mount below",
        setattr_recursive,
    ),
    Experiment::of(
        "idmap",
        &["detached", "attached", "twice", "own", "no_namespace"],
        "mount_setattr(MOUNT_ATTR_IDMAP)",
        idmap,
    ),
    Experiment::of(
        "idmap_shows",
        &["mapped", "unmapped"],
        "the owner of a file of root's through an id-mapped mount that maps 0 to 5, or that does not map 0",
        idmap_shows,
    ),
];

fn flag(name: &str) -> MsFlags {
    match name {
        "ro" => MsFlags::MS_RDONLY,
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        _ => MsFlags::MS_NOATIME,
    }
}

fn remount(target: &str, flags: MsFlags) -> nix::Result<()> {
    mount(None::<&str>, target, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, None::<&str>)
}

fn locked_flag(name: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    remount("a", flag(name)).prepares("mount(MS_REMOUNT)")?;
    // A remount that says nothing of access times leaves them as they are.
    let without = if name == "noatime" { MsFlags::MS_STRICTATIME } else { MsFlags::empty() };
    let lift = || Ok(number(remount("a", without)));
    control(within(libc::CLONE_NEWNS, lift)? == 0, "in a namespace of the same owner it is taken off")?;
    failed(within(LESS, lift)?)
}

fn locked_flag_kept(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    remount("a", MsFlags::MS_NODEV).prepares("mount(MS_REMOUNT)")?;
    failed(within(LESS, || Ok(number(remount("a", MsFlags::MS_NODEV | MsFlags::MS_RDONLY))))?)
}

fn locked_mount(which: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    let down = |path: &str| Ok(number(umount2(path, MntFlags::MNT_DETACH)));
    control(
        within(libc::CLONE_NEWNS, || down("a"))? == 0,
        "in a namespace of the same owner it is taken down",
    )?;
    failed(within(LESS, || match which {
        "own" => {
            tmpfs_at("b")?;
            down("b")
        }
        "whole" => {
            // A copy of all of it is one's own, and goes as a whole.
            directory("copy")?;
            let all = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some("a"), "copy", None::<&str>, all, None::<&str>).prepares("mount(MS_BIND | MS_REC)")?;
            down("copy")
        }
        _ => down("a"),
    })?)
}

fn locked_bind(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    tmpfs_at("a/hides")?;
    directory("b")?;
    let shallow = || Ok(number(bind("a", "b")));
    control(within(libc::CLONE_NEWNS, shallow)? == 0, "in a namespace of the same owner it is bound")?;
    failed(within(LESS, shallow)?)
}

fn outer_flags(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    directory("b")?;
    within(LESS, || {
        let all = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some("a"), "b", None::<&str>, all, None::<&str>).prepares("mount(MS_BIND | MS_REC)")?;
        remount("b", MsFlags::MS_RDONLY).prepares("mount(MS_REMOUNT)")?;
        control(fs::write("b/file", "").is_err(), "the copy is read-only")
    })?;
    gave(if fs::write("a/file", "").is_ok() { "as they were" } else { "changed" })
}

fn set(attributes: u64) -> MountChange<'static> {
    MountChange { set: attributes, ..MountChange::default() }
}

fn setattr(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    file("a/file")?;
    directory("plain")?;
    let here = open_directory(".")?;
    let at = |path: &std::ffi::CStr, change: &MountChange<'_>| mount_setattr(here.as_fd(), path, 0, change);
    control(at(c"a", &set(libc::MOUNT_ATTR_NODEV)).is_ok(), "a right change is made")?;
    match how {
        "unknown" => tried(at(c"a", &set(1 << 40))),
        "zero_tail" => tried(at(c"a", &MountChange { tail: &[0; 8], ..set(libc::MOUNT_ATTR_NOSUID) })),
        "tail" => tried(at(c"a", &MountChange { tail: &[1; 8], ..set(libc::MOUNT_ATTR_NOSUID) })),
        "short" => tried(crate::sys::calls::mount_setattr_of_size(here.as_fd(), 16)),
        "both_ways" => {
            tried(at(c"a", &MountChange { clear: libc::MOUNT_ATTR__ATIME, ..set(libc::MOUNT_ATTR__ATIME) }))
        }
        "no_mount" => tried(at(c"plain", &set(libc::MOUNT_ATTR_RDONLY))),
        "foreign" => {
            failed(within(libc::CLONE_NEWUSER, || Ok(number(at(c"a", &set(libc::MOUNT_ATTR_RDONLY)))))?)
        }
        "busy" => {
            let _writer = fs::OpenOptions::new().write(true).open("a/file").prepares("open(a/file)")?;
            tried(at(c"a", &set(libc::MOUNT_ATTR_RDONLY)))
        }
        _ => {
            at(c"a", &set(libc::MOUNT_ATTR_RDONLY)).prepares("mount_setattr()")?;
            tried(fs::write("a/file", ""))
        }
    }
}

fn setattr_recursive(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    tmpfs_at("a/below")?;
    let here = open_directory(".")?;
    let flags = if how == "whole" { libc::AT_RECURSIVE } else { 0 };
    mount_setattr(here.as_fd(), c"a", flags, &set(libc::MOUNT_ATTR_RDONLY)).prepares("mount_setattr()")?;
    control(fs::write("a/file", "").is_err(), "the mount itself is read-only")?;
    tried(fs::write("a/below/file", ""))
}

/// A detached copy of a tmpfs with a file on it, and a user namespace that maps its root to another id.
fn mapped_tree() -> Result<(OwnedFd, super::child::Child), Trouble> {
    own_scratch()?;
    tmpfs_at("a")?;
    file("a/file")?;
    let child = start(libc::CLONE_NEWUSER, waits)?;
    super::ground::write_map(&child.pid.to_string(), "uid_map", "0 0 1")?;
    super::ground::write_map(&child.pid.to_string(), "setgroups", "deny")?;
    super::ground::write_map(&child.pid.to_string(), "gid_map", "0 0 1")?;
    child.line.wait()?;
    Ok((copy()?, child))
}

fn copy() -> Result<OwnedFd, Trouble> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    rustix::mount::open_tree(rustix::fs::CWD, "a", flags).prepares("open_tree()")
}

fn map(tree: &OwnedFd, user: &OwnedFd) -> nix::Result<()> {
    let change = MountChange { user: Some(user.as_fd()), ..set(libc::MOUNT_ATTR_IDMAP) };
    mount_setattr(tree.as_fd(), c"", libc::AT_EMPTY_PATH, &change)
}

fn idmap(how: &str) -> Seen {
    let (tree, child) = mapped_tree()?;
    let user = namespace(&child.pid.to_string(), "user")?;
    match how {
        "detached" => tried(map(&tree, &user)),
        "attached" => {
            control(map(&tree, &user).is_ok(), "a detached copy can be mapped")?;
            tried(map(&open_directory("a")?, &user))
        }
        "twice" => {
            map(&tree, &user).prepares("mount_setattr(MOUNT_ATTR_IDMAP)")?;
            tried(map(&tree, &user))
        }
        // That which the file system belongs to: it would map nothing.
        "own" => tried(map(&tree, &namespace("self", "user")?)),
        _ => tried(map(&tree, &open_directory(".")?)),
    }
}

fn idmap_shows(what: &str) -> Seen {
    // Only who has more than one id can map one to another.
    if what == "mapped" {
        super::ground::scratch()?;
    } else {
        own_scratch()?;
    }
    tmpfs_at("a")?;
    file("a/file")?;
    let child = start(libc::CLONE_NEWUSER, waits)?;
    // What is the first number on the file system is the second to whoever looks through the mount.
    let map_text = if what == "mapped" { "0 5 1" } else { "5 0 1" };
    let pid = child.pid.to_string();
    super::ground::write_map(&pid, "uid_map", map_text)?;
    super::ground::write_map(&pid, "setgroups", "deny")?;
    super::ground::write_map(&pid, "gid_map", map_text)?;
    let tree = copy()?;
    map(&tree, &namespace(&pid, "user")?).prepares("mount_setattr(MOUNT_ATTR_IDMAP)")?;
    directory("b")?;
    crate::sys::attach(tree.as_fd(), std::path::Path::new("b"))
        .map_err(|failure| Trouble::new(failure.to_string()))?;
    let owner = |path: &str| fs::metadata(path).map(|data| data.uid()).prepares(path);
    control(owner("a/file")? == 0, "as it is it belongs to root")?;
    gave(owner("b/file")?.to_string())
}
