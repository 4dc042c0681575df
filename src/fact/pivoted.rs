//! Whether a process's root is that of its mount namespace.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use rustix::fs::{AtFlags, StatxFlags, statx};

use super::evidence::reading;
use super::vantage::FROM_OUTSIDE;
use super::{Fact, Kind, Reading, Subject, Unobserved};
use crate::sys::errno_name;

/// `pivoted`
pub(super) const PIVOTED: Fact = Fact {
    name: "pivoted",
    argument: None,
    kind: Kind::Bool,
    views: FROM_OUTSIDE,
    brief: "Whether the process's root is the root of its mount namespace.",
    long: "A thread of the host enters the process's mount namespace, which puts it at that namespace's root (setns(2)), and \
           compares that with /proc/PID/root: the same mount and the same directory. After chroot(2) they differ, and whoever may call \
           chroot(2) or setns(2) is out again; after pivot_root(2) nothing else is left in the namespace. To enter needs \
           CAP_SYS_ADMIN over the namespace's owner and CAP_SYS_CHROOT: without them the fact cannot be observed.",
    example: "pivoted: true",
    observe: |subject, _| pivoted(subject),
    relate: None,
};

fn pivoted(subject: &Subject) -> Result<Reading, Unobserved> {
    let failed = |what: &str, errno| {
        Unobserved::because(format!(
            "cannot look at the root of the mount namespace: {what}: {}",
            errno_name(errno as i32)
        ))
    };
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let own =
        open(&subject.proc_file("root"), directory, Mode::empty()).map_err(|errno| failed("root", errno))?;
    let namespace = open(&subject.proc_file("ns/mnt"), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| failed("ns/mnt", errno))?;
    let whole = root_of(namespace).map_err(|errno| failed("setns", errno))?;
    let (own, whole) = identity(&own)
        .and_then(|own| Ok((own, identity(&whole)?)))
        .map_err(|errno| failed("statx", errno))?;
    Ok(reading(own == whole, format!("root {own:?}, root of the mount namespace {whole:?}")))
}

/// In a thread of its own, which no longer shares its root with the others: setns(2) refuses to move a root that is shared.
fn root_of(namespace: OwnedFd) -> nix::Result<OwnedFd> {
    let enter = move || {
        unshare(CloneFlags::CLONE_FS)?;
        setns(namespace, CloneFlags::CLONE_NEWNS)?;
        open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
    };
    std::thread::spawn(enter).join().unwrap_or(Err(Errno::EIO))
}

/// Device, inode and mount of a directory.
fn identity(directory: &OwnedFd) -> nix::Result<(u32, u32, u64, u64)> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = statx(directory, "", AtFlags::EMPTY_PATH, mask)
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    Ok((stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino, stat.stx_mnt_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_root_is_whole_or_cannot_be_entered() {
        let own = Subject::other(i32::try_from(std::process::id()).unwrap(), None);
        match pivoted(&own) {
            Ok(reading) => assert!(reading.value.is_boolean()),
            Err(error) => assert!(error.reason.ends_with("setns: EPERM"), "{}", error.reason),
        }
    }

    #[test]
    fn a_process_that_is_gone_has_no_root() {
        assert!(pivoted(&Subject::other(1 << 22, None)).is_err());
    }
}
