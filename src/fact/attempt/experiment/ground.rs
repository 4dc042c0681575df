//! The ground that an experiment stands on: namespaces of its own, a scratch file system, less rights than it has.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, chroot, fchdir, getegid, geteuid, pivot_root};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use super::seen::{Prepares, Trouble};

/// Where a scratch file system can be mounted: directories that images have.
const PRESENT: [&str; 6] = ["/tmp", "/mnt", "/media", "/run", "/opt", "/home"];

/// Makes namespaces of these kinds.
pub(super) fn own(kinds: CloneFlags) -> Result<(), Trouble> {
    unshare(kinds).prepares(&format!("unshare({kinds:?})"))
}

/// Makes a user namespace, and these besides, and is its root.
pub(super) fn become_root(kinds: CloneFlags) -> Result<(), Trouble> {
    become_user(0, kinds)
}

/// Makes a user namespace, and these besides, and is this user and group in it.
pub(super) fn become_user(id: u32, kinds: CloneFlags) -> Result<(), Trouble> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    own(CloneFlags::CLONE_NEWUSER | kinds)?;
    map_own(id, uid, gid)
}

/// Maps one user and one group of the process's own user namespace, which has no map yet.
pub(super) fn map_own(id: u32, uid: u32, gid: u32) -> Result<(), Trouble> {
    write_map("self", "uid_map", &format!("{id} {uid} 1"))?;
    write_map("self", "setgroups", "deny")?;
    write_map("self", "gid_map", &format!("{id} {gid} 1"))
}

/// Writes `/proc/PID/FILE`.
pub(super) fn write_map(pid: &str, file: &str, text: &str) -> Result<(), Trouble> {
    let path = format!("/proc/{pid}/{file}");
    fs::write(&path, text).prepares(&format!("write({path}, {text:?})"))
}

/// A mount namespace of its own, from which nothing comes back, and in it an empty tmpfs, which is the working directory.
pub(super) fn scratch() -> Result<(), Trouble> {
    own(CloneFlags::CLONE_NEWNS)?;
    settle()
}

/// The same with a user namespace of its own, which owns both.
pub(super) fn own_scratch() -> Result<(), Trouble> {
    become_root(CloneFlags::CLONE_NEWNS)?;
    settle()
}

/// In a mount namespace that is its own.
pub(super) fn settle() -> Result<(), Trouble> {
    change("/", MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    let place = PRESENT.iter().find(|path| Path::new(path).is_dir());
    let place = place.ok_or_else(|| Trouble::new("there is no directory to mount on"))?;
    tmpfs(place)?;
    chdir(*place).prepares("chdir()")
}

/// Mounts an empty tmpfs.
pub(super) fn tmpfs(target: &str) -> Result<(), Trouble> {
    let mounted = mount(Some("tmpfs"), target, Some("tmpfs"), MsFlags::empty(), Some("size=1m,mode=755"));
    mounted.prepares(&format!("mount(tmpfs, {target})"))
}

/// Makes a directory with an empty tmpfs on it.
pub(super) fn tmpfs_at(target: &str) -> Result<(), Trouble> {
    directory(target)?;
    tmpfs(target)
}

/// Makes a directory.
pub(super) fn directory(path: &str) -> Result<(), Trouble> {
    fs::create_dir(path).prepares(&format!("mkdir({path})"))
}

/// Makes a file.
pub(super) fn file(path: &str) -> Result<(), Trouble> {
    fs::write(path, "x").prepares(&format!("write({path})"))
}

/// Binds a directory elsewhere.
pub(super) fn bind(source: &str, target: &str) -> nix::Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
}

/// Changes a mount's propagation.
pub(super) fn change(target: &str, flags: MsFlags) -> Result<(), Trouble> {
    let changed = mount(None::<&str>, target, None::<&str>, flags, None::<&str>);
    changed.prepares(&format!("mount({target}, {flags:?})"))
}

/// Gives up all capabilities.
pub(super) fn without_capabilities() -> Result<(), Trouble> {
    with_only(CapabilitySet::empty())
}

/// Gives up all capabilities but these.
pub(super) fn with_only(kept: CapabilitySet) -> Result<(), Trouble> {
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).prepares("capset()")
}

/// The capabilities of the process.
pub(super) fn rights() -> Result<CapabilitySets, Trouble> {
    capabilities(None).prepares("capget()")
}

/// The namespace of a kind that a process is in, open.
pub(super) fn namespace(pid: &str, kind: &str) -> Result<OwnedFd, Trouble> {
    let path = format!("/proc/{pid}/ns/{kind}");
    let opened = fs::File::open(&path).prepares(&format!("open({path})"))?;
    Ok(opened.into())
}

/// The inode of a file, or of a namespace, by which it is told from others.
pub(super) fn inode(file: &impl AsFd) -> Result<u64, Trouble> {
    rustix::fs::fstat(file).map(|stat| stat.st_ino).prepares("fstat()")
}

/// A directory, as a place to look from.
pub(super) fn open_directory(path: impl rustix::path::Arg) -> Result<OwnedFd, Trouble> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).prepares("open(O_PATH)")
}

/// A line of `/proc/self/status`.
pub(super) fn status(name: &str) -> Result<String, Trouble> {
    let text = fs::read_to_string("/proc/self/status").prepares("read(/proc/self/status)")?;
    line(&text, name)
}

/// The value behind `NAME:` in a text of such lines.
pub(super) fn line(text: &str, name: &str) -> Result<String, Trouble> {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found
        .map(|value| value.trim().replace('\t', " "))
        .ok_or_else(|| Trouble::new(format!("there is no line {name}")))
}

/// From a chroot that is no mount no user namespace can be made, `user_namespaces(7)`: the same directory is then made the root of a mount
/// namespace. Elsewhere nothing is done.
pub(super) fn leave_chroot() -> Result<(), Trouble> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let rooted = mounts.lines().any(|line| line.split(' ').nth(4) == Some("/"));
    if rooted && !is_chrooted() {
        return Ok(());
    }
    own(CloneFlags::CLONE_NEWNS)?;
    let below = open_directory("/")?;
    let whole = namespace("self", "mnt")?;
    nix::sched::setns(&whole, CloneFlags::CLONE_NEWNS).prepares("setns(mnt)")?;
    change("/", MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let copy = rustix::mount::open_tree(&below, "", flags).prepares("open_tree()")?;
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(&copy, "", &below, "", both).prepares("move_mount()")?;
    fchdir(&copy).prepares("fchdir()")?;
    pivot_root(".", ".").prepares("pivot_root()")?;
    umount2(".", MntFlags::MNT_DETACH).prepares("umount2()")?;
    chroot(".").prepares("chroot()")
}

/// Whether a user namespace is refused for this reason: a probe that is sure, by a child that ends at once.
fn is_chrooted() -> bool {
    let refused =
        super::child::within(0, || Ok(unshare(CloneFlags::CLONE_NEWUSER) == Err(nix::errno::Errno::EPERM)));
    refused.unwrap_or(false)
        && geteuid().is_root()
        && rights().is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// The process that this one was cloned from may have asked that a change of user take no capabilities, and has executed nothing since.
pub(super) fn forget_kept_capabilities() -> Result<(), Trouble> {
    rustix::thread::set_keep_capabilities(false).prepares("prctl(PR_SET_KEEPCAPS)")
}

/// Executes `cat /proc/self/status` in a child that has first done this, and gives what it says.
pub(super) fn status_after_exec(prepare: impl FnOnce() -> Result<(), Trouble>) -> Result<String, Trouble> {
    output(c"/bin/cat", &[c"cat", c"/proc/self/status"], prepare)
}

/// What a program writes that a child executes which has first done this.
pub(super) fn output(
    program: &CStr,
    words: &[&CStr],
    prepare: impl FnOnce() -> Result<(), Trouble>,
) -> Result<String, Trouble> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    let child = super::child::start(0, |line| {
        prepare().inspect_err(|trouble| drop(line.say(trouble)))?;
        nix::unistd::dup2_stdout(&writer).prepares("dup2()")?;
        let errno = crate::sys::calls::execute(program, words);
        line.say(&Trouble::new(format!("execve({}): {errno:?}", program.to_string_lossy())))
    })?;
    drop(writer);
    let text = std::io::read_to_string(fs::File::from(reader)).prepares("read()")?;
    let ended = child.end()?;
    // What is executed closes its end without a word.
    match child.line.hear::<Trouble>() {
        Ok(trouble) => Err(trouble),
        Err(_) if ended == "exit 0" => Ok(text),
        Err(_) => Err(Trouble::new(format!("{} ended with {ended}", program.to_string_lossy()))),
    }
}
