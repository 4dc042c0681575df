//! What lies on the root: `/proc`, `/sys`, a minimal `/dev`, further mounts, masked and read-only paths.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, makedev, mknodat};

use super::blueprint::{Blueprint, MountPlan};
use super::root::{
    Place, bind_host, bind_over, find, is_directory, mount_extra, mount_new, mount_over, remount_found,
};
use crate::spec::Namespace;
use crate::sys::{Failure, Result};

/// The devices of the OCI runtime specification (config-linux.md, default devices), with their major and minor numbers.
pub(super) const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// The links of the same (config-linux.md, dev symbolic links).
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Where its mounts with flags lie.
pub(super) fn flagged_mounts(blueprint: &Blueprint) -> Vec<String> {
    let own = blueprint
        .root
        .mounts
        .iter()
        .filter(|mount| !mount.options.is_empty())
        .map(|mount| mount.target.clone());
    let root = (blueprint.root.read_only || blueprint.root.strict).then_some("/");
    let usual = ["/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"];
    root.into_iter().chain(usual).map(str::to_owned).chain(own).collect()
}

/// Opens the sources of the bind mounts. This needs the runner's own identity: the sandbox's may not reach them.
pub(super) fn open_sources(blueprint: &Blueprint) -> Result<Vec<Option<OwnedFd>>> {
    let open = |mount: &MountPlan| {
        nix::fcntl::open(mount.source.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|errno| Failure::new("open", &[&mount.source], errno))
    };
    blueprint.root.mounts.iter().map(|mount| mount.kind.is_none().then(|| open(mount)).transpose()).collect()
}

/// Furnishes the new root, in the order in which one thing may lie on another.
pub(super) fn furnish(blueprint: &Blueprint, root: &OwnedFd, sources: &[Option<OwnedFd>]) -> Result<()> {
    if !is_given(blueprint, "/proc") {
        mount_proc(blueprint, root)?;
    }
    if !is_given(blueprint, "/sys") {
        mount_sys(blueprint, root)?;
    }
    mount_dev(blueprint, root)?;
    for (mount, source) in blueprint.root.mounts.iter().zip(sources) {
        mount_extra(root, mount, source.as_ref())?;
    }
    for path in &blueprint.root.read_only_paths {
        make_read_only(root, path)?;
    }
    blueprint.root.masks.iter().try_for_each(|path| mask(root, path, &blueprint.identity.owner()))
}

/// Whether the settings say themselves what is mounted there, instead of what is mounted by default: what lies below the one
/// could be uncovered, and of a sysfs the whole would be read-only, whatever flags the second mount has.
fn is_given(blueprint: &Blueprint, target: &str) -> bool {
    blueprint.root.mounts.iter().any(|mount| mount.target == target)
}

const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// `/proc` shows the PID namespace of whoever mounts it (proc(5)). A user namespace may mount it only together with a PID
/// namespace of its own; otherwise the host's is bound.
fn mount_proc(blueprint: &Blueprint, root: &OwnedFd) -> Result<()> {
    if blueprint.creates(Namespace::User) && !blueprint.creates(Namespace::Pid) {
        return bind_host(root, "/proc", "/proc", Place::Directory, MsFlags::empty());
    }
    mount_new(root, "proc", "/proc", QUIET, "")
}

/// `/sys` shows the network namespace of whoever mounts it; the same rule holds.
fn mount_sys(blueprint: &Blueprint, root: &OwnedFd) -> Result<()> {
    if blueprint.creates(Namespace::User) && !blueprint.creates(Namespace::Net) {
        return bind_host(root, "/sys", "/sys", Place::Directory, MsFlags::MS_RDONLY);
    }
    mount_new(root, "sysfs", "/sys", QUIET | MsFlags::MS_RDONLY, "")
}

/// A `/dev` of its own, on a tmpfs: the host's devtmpfs is one for the whole machine, and what a sandbox did to it would
/// be done to the host.
fn mount_dev(blueprint: &Blueprint, root: &OwnedFd) -> Result<()> {
    let owner = blueprint.identity.owner();
    mount_new(
        root,
        "tmpfs",
        "/dev",
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        &format!("mode=0755,{owner},size=64k,nr_inodes=256"),
    )?;
    // From here on relative to it: what is made there is ours alone.
    let dev = find(root, "/dev", Place::Existing)?;
    for (name, major, minor) in DEVICES {
        add_device(blueprint, &dev, name, SFlag::S_IFCHR, makedev(major, minor))?;
    }
    for path in &blueprint.root.devices {
        let stat =
            nix::sys::stat::stat(path.as_str()).map_err(|errno| Failure::new("stat", &[path], errno))?;
        let kind = SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT);
        add_device(blueprint, &dev, path.strip_prefix("/dev/").unwrap_or(path), kind, stat.st_rdev)?;
    }
    for (target, name) in LINKS {
        nix::unistd::symlinkat(target, &dev, name)
            .map_err(|errno| Failure::new("symlink", &[&target, &name], errno))?;
    }
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_new(&dev, "devpts", "pts", quiet, "newinstance,ptmxmode=0666,mode=0620")?;
    mount_new(&dev, "tmpfs", "shm", QUIET, &format!("mode=1777,{owner},size=64m,nr_inodes=10000"))?;
    // The message queues shown are those of the mounter's IPC namespace, which its user namespace must own.
    if blueprint.creates(Namespace::Ipc) || !blueprint.creates(Namespace::User) {
        mount_new(&dev, "mqueue", "mqueue", QUIET, "")?;
    }
    Ok(())
}

/// A device node. In a user namespace the kernel refuses to make one that can be opened, so the host's is bound instead.
fn add_device(
    blueprint: &Blueprint,
    dev: &OwnedFd,
    name: &str,
    kind: SFlag,
    device: libc::dev_t,
) -> Result<()> {
    if blueprint.creates(Namespace::User) {
        return bind_host(dev, &format!("/dev/{name}"), name, Place::File, MsFlags::empty());
    }
    let failed = |call, errno| Failure::new(call, &[&name], errno);
    let mode = Mode::from_bits_truncate(0o666);
    mknodat(dev.as_fd(), name, kind, mode, device).map_err(|errno| failed("mknod", errno))?;
    // mknod(2) has applied the umask.
    nix::sys::stat::fchmodat(dev.as_fd(), name, mode, nix::sys::stat::FchmodatFlags::FollowSymlink)
        .map_err(|errno| failed("chmod", errno))
}

/// What is at a path; `None` where there is nothing, which needs no hiding.
fn find_if_there(root: &OwnedFd, path: &str) -> Result<Option<OwnedFd>> {
    match find(root, path, Place::Existing) {
        Err(failure) if [libc::ENOENT, libc::ENOTDIR].contains(&failure.errno) => Ok(None),
        found => found.map(Some),
    }
}

/// Hides a path: `/dev/null` over a file, an empty read-only tmpfs over a directory.
fn mask(root: &OwnedFd, path: &str, owner: &str) -> Result<()> {
    let Some(found) = find_if_there(root, path)? else { return Ok(()) };
    if is_directory(&found)? {
        // Not `size=0`, which is no limit (tmpfs(5)): who may remount it could fill the host's memory.
        let options = format!("size=4k,nr_inodes=2,mode=0755,{owner}");
        return mount_over(&found, "tmpfs", path, QUIET | MsFlags::MS_RDONLY, &options);
    }
    bind_over(&find(root, "/dev/null", Place::Existing)?, &found)
}

/// Binds a path on itself, and makes that mount read-only.
fn make_read_only(root: &OwnedFd, path: &str) -> Result<()> {
    let Some(found) = find_if_there(root, path)? else { return Ok(()) };
    bind_over(&found, &found)?;
    remount_found(root, path, MsFlags::MS_RDONLY)
}
