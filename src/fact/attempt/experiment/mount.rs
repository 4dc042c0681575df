//! Mounts: propagation, the flags that a namespace may not take off, taking down, the mount API by descriptors.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::pivot_root;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use super::Experiment;
use super::child::{start, within};
use super::ground::{bind, change, directory, file, open_directory, own_scratch, tmpfs_at};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::calls::list_mounts;

const NEWNS: i32 = libc::CLONE_NEWNS;

/// `MOVE_MOUNT_BENEATH`, Linux 6.5.
const BENEATH: u32 = 0x200;
/// `MOVE_MOUNT_SET_GROUP`, Linux 5.15.
const SET_GROUP: u32 = 0x100;
/// `MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH`
const BY_DESCRIPTORS: u32 = 0x44;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "propagation",
        &["shared_back", "shared", "private", "slave", "slave_back", "less_privileged"],
        "a mount made in a mount namespace (`back`: in its copy): whether the other has it",
        propagation,
    ),
    Experiment::plain("bind_unbindable", "mount(MS_BIND) of an unbindable mount", bind_unbindable),
    Experiment::plain("mounts_copied", "the mounts of a new mount namespace, counted", mounts_copied),
    Experiment::plain(
        "mounts_apart",
        "umount() in a new mount namespace: whether the former still has the mount",
        mounts_apart,
    ),
    Experiment::of(
        "umount",
        &["expire", "expire_again", "expire_busy", "busy", "detach", "link", "not_mounted", "unprivileged"],
        "umount2() of a mount with that flag, or in that state",
        umount,
    ),
    Experiment::of(
        "pivot_root",
        &["right", "on_root", "no_mount", "shared", "outside", "unprivileged"],
        "pivot_root() to a mount, or to what is none",
        pivot,
    ),
    Experiment::of(
        "symlink_mount",
        &["follow", "read"],
        "open() and readlink() of a symbolic link on a mount with MOUNT_ATTR_NOSYMFOLLOW",
        symlink_mount,
    ),
    Experiment::of(
        "fsopen",
        &["unknown", "unprivileged", "twice", "mount_first", "bad_option"],
        "fsopen(), and what may not be done with its context",
        fsopen,
    ),
    Experiment::of(
        "detached",
        &["unseen", "attached"],
        "a tmpfs by fsmount(): whether it shows before move_mount() and after",
        detached,
    ),
    Experiment::of("open_tree", &["clone", "unprivileged"], "open_tree(OPEN_TREE_CLONE)", open_tree),
    Experiment::plain(
        "move_beneath",
        "move_mount(MOVE_MOUNT_BENEATH), then umount() of the topmost: what shows",
        move_beneath,
    ),
    Experiment::of(
        "move_group",
        &["other_file_system", "same"],
        "move_mount(MOVE_MOUNT_SET_GROUP) between two mounts",
        move_group,
    ),
    Experiment::of(
        "move_mount",
        &["shared_parent", "private_parent", "into_itself"],
        "mount(MS_MOVE) of a mount whose parent is shared, of any other, or below itself",
        move_classic,
    ),
    Experiment::of(
        "overlay",
        &["upper", "lower"],
        "write() on an overlay that root of a user namespace has mounted: which layer has it",
        overlay,
    ),
    Experiment::plain(
        "list_mounts",
        "listmount() of the caller's root: as many as /proc/self/mountinfo has lines",
        list,
    ),
];

fn propagation(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    directory("a/x")?;
    change("a", if how == "private" { MsFlags::MS_PRIVATE } else { MsFlags::MS_SHARED })?;
    let flags = NEWNS | if how == "less_privileged" { libc::CLONE_NEWUSER } else { 0 };
    let slave = how.starts_with("slave");
    let copy = start(flags, |line| {
        if slave {
            change("a", MsFlags::MS_SLAVE)?;
        }
        line.go()?;
        line.wait()?;
        if !matches!(how, "shared" | "slave" | "private") {
            super::ground::tmpfs("a/x")?;
        }
        line.say(&is_mounted("a/x")?)?;
        line.wait()
    })?;
    copy.line.wait()?;
    if matches!(how, "shared" | "slave" | "private") {
        super::ground::tmpfs("a/x")?;
    }
    copy.line.go()?;
    let theirs: bool = copy.line.hear()?;
    let ours = is_mounted("a/x")?;
    control(theirs || ours, "whoever has mounted it has it")?;
    gave(if theirs && ours { "both have it" } else { "one has it" })
}

/// Whether something is mounted there, which is another file system than that of the directory above.
fn is_mounted(path: &str) -> Result<bool, Trouble> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|data| data.dev()).prepares("stat()");
    Ok(device(Path::new(path))? != device(&Path::new(path).join(".."))?)
}

fn bind_unbindable(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    directory("b")?;
    control(within(NEWNS, || Ok(bind("a", "b").is_ok()))?, "before that it can be bound")?;
    change("a", MsFlags::MS_UNBINDABLE)?;
    tried(bind("a", "b"))
}

fn count_mounts() -> Result<usize, Trouble> {
    let text = fs::read_to_string("/proc/self/mountinfo").prepares("read(/proc/self/mountinfo)")?;
    Ok(text.lines().count())
}

fn mounts_copied(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    let copied = within(NEWNS, count_mounts)?;
    gave(if copied == count_mounts()? { "as many" } else { "others" })
}

fn mounts_apart(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    file("a/mark")?;
    within(NEWNS, || {
        umount2("a", MntFlags::empty()).prepares("umount2()")?;
        control(!Path::new("a/mark").exists(), "it is gone where it was taken down")
    })?;
    gave(if Path::new("a/mark").exists() { "it is there" } else { "it is gone" })
}

fn umount(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    file("a/file")?;
    let open = || fs::File::open("a/file").prepares("open(a/file)");
    match how {
        "expire" => tried(umount2("a", MntFlags::MNT_EXPIRE)),
        "expire_again" => {
            let first = umount2("a", MntFlags::MNT_EXPIRE);
            control(first == Err(nix::errno::Errno::EAGAIN), "the first only marks it")?;
            tried(umount2("a", MntFlags::MNT_EXPIRE))
        }
        "expire_busy" => {
            let _busy = open()?;
            tried(umount2("a", MntFlags::MNT_EXPIRE))
        }
        "busy" => {
            let _busy = open()?;
            tried(umount2("a", MntFlags::empty()))
        }
        "detach" => {
            let _busy = open()?;
            tried(umount2("a", MntFlags::MNT_DETACH))
        }
        "link" => {
            std::os::unix::fs::symlink("a", "link").prepares("symlink()")?;
            tried(umount2("link", MntFlags::UMOUNT_NOFOLLOW))
        }
        "not_mounted" => {
            directory("b")?;
            tried(umount2("b", MntFlags::empty()))
        }
        _ => {
            super::ground::without_capabilities()?;
            tried(umount2("a", MntFlags::empty()))
        }
    }
}

fn pivot(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("root")?;
    directory("root/old")?;
    directory("plain")?;
    directory("plain/old")?;
    if how != "right" {
        control(within(NEWNS, || Ok(pivot_root("root", "root/old").is_ok()))?, "to a mount it is done")?;
    }
    match how {
        "on_root" => tried(pivot_root("root", "/")),
        "no_mount" => tried(pivot_root("plain", "plain/old")),
        "shared" => {
            change("root", MsFlags::MS_SHARED)?;
            tried(pivot_root("root", "root/old"))
        }
        "outside" => tried(pivot_root("root", "plain")),
        "unprivileged" => {
            super::ground::without_capabilities()?;
            tried(pivot_root("root", "root/old"))
        }
        _ => tried(pivot_root("root", "root/old")),
    }
}

fn symlink_mount(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    file("a/file")?;
    std::os::unix::fs::symlink("file", "a/link").prepares("symlink()")?;
    control(fs::read("a/link").is_ok(), "without the flag the link is followed")?;
    let change = crate::sys::calls::MountChange { set: libc::MOUNT_ATTR_NOSYMFOLLOW, ..Default::default() };
    let here = open_directory(".")?;
    crate::sys::calls::mount_setattr(here.as_fd(), c"a", 0, &change)
        .prepares("mount_setattr(MOUNT_ATTR_NOSYMFOLLOW)")?;
    if how == "read" { tried(fs::read_link("a/link")) } else { tried(fs::read("a/link")) }
}

fn context(kind: &str) -> rustix::io::Result<OwnedFd> {
    rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
}

fn fsopen(how: &str) -> Seen {
    own_scratch()?;
    let made = context("tmpfs").prepares("fsopen(tmpfs)")?;
    let mounted = |context: &OwnedFd| {
        rustix::mount::fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
    };
    match how {
        "unknown" => tried(context("airtightfs")),
        "unprivileged" => {
            super::ground::without_capabilities()?;
            tried(context("tmpfs"))
        }
        "mount_first" => tried(mounted(&made)),
        "bad_option" => {
            control(
                rustix::mount::fsconfig_set_string(&made, "mode", "755").is_ok(),
                "a right option is taken",
            )?;
            tried(rustix::mount::fsconfig_set_string(&made, "airtight", "1"))
        }
        _ => {
            rustix::mount::fsconfig_create(&made).prepares("fsconfig(CREATE)")?;
            tried(rustix::mount::fsconfig_create(&made))
        }
    }
}

/// A tmpfs that is mounted nowhere, with a file on it.
fn detached_tmpfs() -> Result<OwnedFd, Trouble> {
    let context = context("tmpfs").prepares("fsopen(tmpfs)")?;
    rustix::mount::fsconfig_create(&context).prepares("fsconfig(CREATE)")?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    rustix::mount::fsmount(&context, flags, MountAttrFlags::empty()).prepares("fsmount()")
}

fn attach(tree: &OwnedFd, target: &str) -> Result<(), Trouble> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", rustix::fs::CWD, target, flags).prepares("move_mount()")
}

fn detached(how: &str) -> Seen {
    own_scratch()?;
    let before = count_mounts()?;
    let tree = detached_tmpfs()?;
    directory("a")?;
    if how == "attached" {
        attach(&tree, "a")?;
    }
    gave(format!("{} more", count_mounts()? - before))
}

fn clone_here() -> rustix::io::Result<OwnedFd> {
    rustix::mount::open_tree(
        rustix::fs::CWD,
        "a",
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )
}

fn open_tree(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    if how == "clone" {
        return tried(clone_here());
    }
    control(within(0, || Ok(clone_here().is_ok()))?, "with the right it is cloned")?;
    super::ground::without_capabilities()?;
    tried(clone_here())
}

fn move_beneath(_: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    file("a/top")?;
    let below = detached_tmpfs()?;
    let target = open_directory("a")?;
    crate::sys::calls::move_mount(below.as_fd(), target.as_fd(), BENEATH | BY_DESCRIPTORS)
        .prepares("move_mount(MOVE_MOUNT_BENEATH)")?;
    drop(target);
    control(Path::new("a/top").exists(), "the topmost still shows")?;
    let before = count_mounts()?;
    umount2("a", MntFlags::MNT_DETACH).prepares("umount2()")?;
    control(count_mounts()? == before - 1 && !Path::new("a/top").exists(), "the topmost is gone")?;
    // What is mounted there is not the directory below, on which a file could be left.
    fs::write("a/mark", "").prepares("write(a/mark)")?;
    umount2("a", MntFlags::MNT_DETACH).prepares("umount2() of what was beneath")?;
    gave(if Path::new("a/mark").exists() { "the directory" } else { "what was moved beneath" })
}

fn move_group(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("a")?;
    change("a", MsFlags::MS_SHARED)?;
    if how == "same" {
        directory("b")?;
        bind("a", "b").prepares("mount(MS_BIND)")?;
        change("b", MsFlags::MS_PRIVATE)?;
    } else {
        tmpfs_at("b")?;
    }
    let (from, to) = (open_directory("a")?, open_directory("b")?);
    tried(crate::sys::calls::move_mount(from.as_fd(), to.as_fd(), SET_GROUP | BY_DESCRIPTORS))
}

fn move_classic(how: &str) -> Seen {
    own_scratch()?;
    tmpfs_at("parent")?;
    tmpfs_at("parent/a")?;
    directory("parent/a/below")?;
    directory("b")?;
    if how == "shared_parent" {
        change("parent", MsFlags::MS_SHARED)?;
    }
    let target = if how == "into_itself" { "parent/a/below" } else { "b" };
    tried(mount(Some("parent/a"), target, None::<&str>, MsFlags::MS_MOVE, None::<&str>))
}

fn overlay(layer: &str) -> Seen {
    own_scratch()?;
    for name in ["lower", "upper", "work", "merged"] {
        directory(name)?;
    }
    file("lower/file")?;
    let options = "lowerdir=lower,upperdir=upper,workdir=work,userxattr";
    mount(Some("overlay"), "merged", Some("overlay"), MsFlags::empty(), Some(options))
        .prepares("mount(overlay)")?;
    fs::write("merged/file", "changed").prepares("write(merged/file)")?;
    let path = format!("{layer}/file");
    gave(fs::read_to_string(&path).prepares(&path)?)
}

fn list(_: &str) -> Seen {
    own_scratch()?;
    let listed = list_mounts().prepares("listmount()")?;
    gave(if listed == count_mounts()? { "as many" } else { "others" })
}
