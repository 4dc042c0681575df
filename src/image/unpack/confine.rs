//! Makes one folder the whole world of this process, which must have a single thread.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::sys::{Failure, Result};

/// The memory that unpacking may use: a window of 256 MiB several times over, and this program itself.
const MEMORY: u64 = 2 << 30;

/// What unpacking as root needs: owners, modes, set-ID bits, devices, file capabilities. All else is dropped.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP);

/// Enters `root` for good: a mount namespace of its own whose root it is, few capabilities, little memory.
///
/// An ordinary user gets the right to do so from a user namespace, in which it is root over its own files only.
pub(super) fn confine(root: &Path) -> Result<()> {
    close_others();
    match enter_namespaces() {
        Ok(()) => pivot(root)?,
        // A container's root may have CAP_SYS_CHROOT and no namespaces; without either the call says what is missing.
        Err(failure) => change_root(root).map_err(|_| failure)?,
    }
    limit(Resource::RLIMIT_AS, MEMORY)?;
    limit(Resource::RLIMIT_CORE, 0)?;
    nix::sys::prctl::set_no_new_privs()
        .map_err(|errno| Failure::new("prctl", &[&"PR_SET_NO_NEW_PRIVS"], errno))?;
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    drop_capabilities()
}

/// Closes what the parent left open by mistake. Where `/proc` is not mounted there is no list, and nothing is closed.
fn close_others() {
    let names = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The list holds the descriptor that it was read through, which is closed by now: EBADF is expected.
    open.into_iter()
        .filter(|number| *number > 2)
        .for_each(|number| nix::unistd::close(number).unwrap_or_default());
}

fn enter_namespaces() -> Result<()> {
    match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => return Ok(()),
        Err(Errno::EPERM) => {}
        Err(errno) => return Err(Failure::new("unshare", &[&"CLONE_NEWNS"], errno)),
    }
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let both = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS;
    unshare(both).map_err(|errno| Failure::new("unshare", &[&"CLONE_NEWUSER | CLONE_NEWNS"], errno))?;
    // user_namespaces(7): an ordinary user may map its group only once setgroups(2) is denied.
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {user} 1"))?;
    write("/proc/self/gid_map", &format!("0 {group} 1"))
}

fn write(path: &str, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Failure::from_io("write", &[&path, &text], &error))
}

/// `pivot_root(2)` with the old root on top of the new one, which needs no folder for it.
fn pivot(root: &Path) -> Result<()> {
    let none = None::<&str>;
    let failed = |call: &str, errno| Failure::new(call, &[&root], errno);
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|errno| Failure::new("mount", &[&"/", &"MS_REC | MS_PRIVATE"], errno))?;
    mount(Some(root), root, none, MsFlags::MS_BIND, none).map_err(|errno| failed("mount", errno))?;
    nix::unistd::chdir(root).map_err(|errno| failed("chdir", errno))?;
    match nix::unistd::pivot_root(".", ".") {
        Ok(()) => umount2(".", MntFlags::MNT_DETACH).map_err(|errno| failed("umount2", errno))?,
        // The kernel's first file system cannot be pivoted away from: an initramfs. There chroot has to do.
        Err(Errno::EINVAL) => return change_root(root),
        Err(errno) => return Err(failed("pivot_root", errno)),
    }
    nix::unistd::chdir("/").map_err(|errno| failed("chdir", errno))
}

fn change_root(root: &Path) -> Result<()> {
    nix::unistd::chroot(root).map_err(|errno| Failure::new("chroot", &[&root], errno))?;
    nix::unistd::chdir("/").map_err(|errno| Failure::new("chdir", &[&"/"], errno))
}

fn limit(resource: Resource, most: u64) -> Result<()> {
    setrlimit(resource, most, most).map_err(|errno| Failure::new("setrlimit", &[&resource, &most], errno))
}

/// Also takes away `CAP_SYS_CHROOT` and `CAP_SYS_ADMIN`, with which a way out of any root could be found.
fn drop_capabilities() -> Result<()> {
    let failed =
        |call: &str, errno: rustix::io::Errno| Failure::new(call, &[], Errno::from_raw(errno.raw_os_error()));
    let held = rustix::thread::capabilities(None).map_err(|errno| failed("capget", errno))?;
    let kept = held.permitted & KEPT;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(|errno| failed("capset", errno))
}
