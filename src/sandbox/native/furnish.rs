//! What lies on the root: `/proc`, `/sys`, a minimal `/dev`, further mounts, masked and read-only paths.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, makedev, mknodat};

use super::blueprint::{Blueprint, MountPlan};
use super::defects::Defect;
use super::options::MountOptions;
use super::root::{
    self, Place, bind_host, bind_over, find, is_directory, mount_extra, mount_new, mount_over, remount_found,
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

/// Where its mounts with flags lie: the root, the usual ones, and those of the settings.
pub(super) fn flagged_mounts(blueprint: &Blueprint) -> Vec<String> {
    let usual = ["/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"];
    let own = blueprint.root.mounts.iter().map(|mount| mount.target.as_str());
    let mut all: Vec<String> = Vec::new();
    for path in usual.into_iter().chain(own) {
        if !flags_meant(blueprint, path).is_empty() && !all.iter().any(|known| known == path) {
            all.push(path.to_owned());
        }
    }
    all
}

/// The flags that the mount at this path is to have.
fn flags_meant(blueprint: &Blueprint, path: &str) -> MsFlags {
    let own = blueprint.root.mounts.iter().rfind(|mount| mount.target == path);
    match path {
        _ if own.is_some() => own.map_or(MsFlags::empty(), |mount| {
            MountOptions::parse(&mount.options).flags & MountOptions::per_mount()
        }),
        "/" => root::flags(&blueprint.root),
        "/proc" if binds_proc(blueprint) => MsFlags::empty(),
        "/sys" if binds_sys(blueprint) => MsFlags::MS_RDONLY,
        "/sys" => QUIET | MsFlags::MS_RDONLY,
        "/dev" | "/dev/pts" => MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        "/dev/mqueue" if !mounts_queues(blueprint) => MsFlags::empty(),
        _ => QUIET,
    }
}

/// The flags that it gets.
pub(super) fn flags_at(blueprint: &Blueprint, path: &str) -> MsFlags {
    if blueprint.has(&Defect::BareMount(path.to_owned())) {
        MsFlags::empty()
    } else {
        flags_meant(blueprint, path)
    }
}

/// That what must be bare is so: flags that come with a bind mount's source cannot be dropped in a less privileged namespace
/// (`mount_namespaces(7)`).
fn ensure_bare(blueprint: &Blueprint, root: &OwnedFd) -> Result<()> {
    for path in flagged_mounts(blueprint).iter().filter(|path| flags_at(blueprint, path).is_empty()) {
        let found = find(root, path, Place::Existing)?;
        let left =
            nix::sys::statvfs::fstatvfs(&found).map_err(|errno| Failure::new("fstatvfs", &[path], errno))?;
        let left = MsFlags::from_bits_truncate(left.flags().bits()) & flags_meant(blueprint, path);
        if !left.is_empty() {
            return Err(Failure::new("mount", &[path, &left], nix::errno::Errno::EPERM));
        }
    }
    Ok(())
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
    let hosts = blueprint.host_mounts();
    let own = |path| !hosts.contains(&path) && (path == "/dev" || !is_given(blueprint, path));
    own("/proc").then(|| mount_proc(blueprint, root)).transpose()?;
    own("/sys").then(|| mount_sys(blueprint, root)).transpose()?;
    own("/dev").then(|| mount_dev(blueprint, root)).transpose()?;
    for (mount, source) in blueprint.root.mounts.iter().zip(sources) {
        mount_extra(root, mount, source.as_ref(), flags_at(blueprint, &mount.target))?;
    }
    // After the others, for which a missing directory is made: that would be made on the host.
    for path in &hosts {
        bind_host(root, path, path, Place::Directory, MsFlags::empty())?;
    }
    if hosts.contains(&"/dev") {
        // What is put into the host's would stay there.
        mount_new(root, "tmpfs", "/dev/shm", QUIET, "mode=1777,size=64m,nr_inodes=10000")?;
    }
    ensure_bare(blueprint, root)?;
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
    if binds_proc(blueprint) {
        return bind_host(root, "/proc", "/proc", Place::Directory, MsFlags::empty());
    }
    mount_new(root, "proc", "/proc", flags_at(blueprint, "/proc"), "")
}

fn binds_proc(blueprint: &Blueprint) -> bool {
    blueprint.creates(Namespace::User) && !blueprint.creates(Namespace::Pid)
}

/// `/sys` shows the network namespace of whoever mounts it; the same rule holds.
fn mount_sys(blueprint: &Blueprint, root: &OwnedFd) -> Result<()> {
    let flags = flags_at(blueprint, "/sys");
    if binds_sys(blueprint) {
        return bind_host(root, "/sys", "/sys", Place::Directory, flags);
    }
    mount_new(root, "sysfs", "/sys", flags, "")
}

fn binds_sys(blueprint: &Blueprint) -> bool {
    blueprint.creates(Namespace::User) && !blueprint.creates(Namespace::Net)
}

/// A `/dev` of its own, on a tmpfs: the host's devtmpfs is one for the whole machine, and what a sandbox did to it would
/// be done to the host.
fn mount_dev(blueprint: &Blueprint, root: &OwnedFd) -> Result<()> {
    let owner = blueprint.identity.owner();
    mount_new(
        root,
        "tmpfs",
        "/dev",
        flags_at(blueprint, "/dev"),
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
    let flags = |path| flags_at(blueprint, path);
    mount_new(&dev, "devpts", "pts", flags("/dev/pts"), "newinstance,ptmxmode=0666,mode=0620")?;
    let shm = format!("mode=1777,{owner},size=64m,nr_inodes=10000");
    mount_new(&dev, "tmpfs", "shm", flags("/dev/shm"), &shm)?;
    if mounts_queues(blueprint) {
        mount_new(&dev, "mqueue", "mqueue", flags("/dev/mqueue"), "")?;
    }
    Ok(())
}

/// The message queues shown are those of the mounter's IPC namespace, which its user namespace must own.
fn mounts_queues(blueprint: &Blueprint) -> bool {
    blueprint.creates(Namespace::Ipc) || !blueprint.creates(Namespace::User)
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
