//! The guest's mounts: what systemd would make of them.

use std::fs;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};

use super::{cgroups, core};
use crate::sys::{Failure, Result};
use crate::vm::cgroups::Cgroups;
use crate::vm::layout::LATE;

/// Where the initial root is bound, to be moved over itself.
const ABOVE: &str = "/airtight/root";

/// Mounts the initial root over itself: `pivot_root(2)` refuses to leave the rootfs that the kernel has unpacked the initramfs into.
pub(super) fn leave_initial() -> Result<()> {
    core::prepare();
    fs::create_dir_all(ABOVE).map_err(|error| Failure::from_io("mkdir", &[&ABOVE], &error))?;
    attach("/", ABOVE, "", MsFlags::MS_BIND, "")?;
    chdir(ABOVE).map_err(|errno| Failure::new("chdir", &[&ABOVE], errno))?;
    attach(".", "/", "", MsFlags::MS_MOVE, "")?;
    chroot(".").map_err(|errno| Failure::new("chroot", &[&"."], errno))?;
    chdir("/").map_err(|errno| Failure::new("chdir", &[&"/"], errno))
}

/// Mounts what every machine has.
pub(super) fn mount_all(form: Cgroups) -> Result<()> {
    let (nosuid, noexec, nodev) = (MsFlags::MS_NOSUID, MsFlags::MS_NOEXEC, MsFlags::MS_NODEV);
    let none = nosuid | noexec | nodev;
    place("proc", "/proc", none, "")?;
    place("sysfs", "/sys", none, "")?;
    place("devtmpfs", "/dev", nosuid, "mode=755")?;
    place("devpts", "/dev/pts", nosuid | noexec, "ptmxmode=666,mode=620,gid=5")?;
    place("tmpfs", "/dev/shm", nosuid | nodev, "mode=1777")?;
    place("tmpfs", "/run", nosuid | nodev, "mode=755")?;
    place("tmpfs", "/tmp", nosuid | nodev, "mode=1777")?;
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        // Some are there already.
        let _ = std::os::unix::fs::symlink(target, Path::new("/dev").join(link));
    }
    for (kind, target) in [("securityfs", "/sys/kernel/security"), ("mqueue", "/dev/mqueue")] {
        // A kernel may be built without it.
        let _ = place(kind, target, none, "");
    }
    cgroups::mount(form);
    // As systemd has it: whoever wants less says so.
    attach("none", "/", "", MsFlags::MS_REC | MsFlags::MS_SHARED, "")
}

/// Links what came along for a directory over which something is mounted now.
pub(super) fn lay_late(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let there = Path::new("/").join(path.strip_prefix(LATE).unwrap_or(&path));
        let failed = |error: std::io::Error| Failure::from_io("symlink", &[&path, &there], &error);
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::create_dir_all(&there).map_err(failed)?;
            lay_late(&path)?;
        } else {
            std::os::unix::fs::symlink(&path, &there).map_err(failed)?;
        }
    }
    Ok(())
}

/// Mounts what needs a module.
pub(super) fn mount_late() {
    // Only where it is a module, and was loaded, was it not there before.
    let _ = place("fusectl", "/sys/fs/fuse/connections", MsFlags::MS_NOSUID, "");
}

/// Mounts it at a directory that is made where it is missing.
pub(super) fn place(kind: &str, target: &str, flags: MsFlags, data: &str) -> Result<()> {
    // In sysfs it is the kernel that makes directories.
    let _ = fs::create_dir_all(target);
    attach(kind, target, kind, flags, data)
}

pub(super) fn attach(source: &str, target: &str, kind: &str, flags: MsFlags, data: &str) -> Result<()> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    mount(Some(source), target, given(kind).as_deref(), flags, given(data).as_deref())
        .map_err(|errno| Failure::new("mount", &[&source, &target, &flags], errno))
}
