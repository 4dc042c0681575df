//! Mounting, unmounting, and changing the root.

use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{chroot, pivot_root};

use super::outcome::{check_path, check_probe, outcome, permitted, probe, unprepared, with_undoing};
use super::place::{MountPoint, Place};
use crate::fact::{Attempt, Leaves, Reading, Unobserved};
use crate::sys::probes;

/// `mount`
pub(super) const MOUNT: Attempt = Attempt {
    name: "mount",
    object: "TYPE | \"bind PATH\" | \"remount PATH\"",
    brief: "Mounts a file system of a type, binds a path, or makes a read-only mount writable.",
    long: "TYPE: mount(\"none\", DIR, TYPE, 0, NULL). `bind PATH`: mount(PATH, DIR, NULL, MS_BIND). DIR is a fresh \
           directory, or one of /mnt, /media, … where none can be made; umount2(DIR, MNT_DETACH) after. `remount PATH`: \
           mount(NULL, PATH, NULL, MS_REMOUNT | MS_BIND | the mount's flags without MS_RDONLY), then once more with the \
           flags that it had.",
    example: "attempts: { mount: { tmpfs: denied, bind /etc: denied, remount /: denied } }",
    leaves: Leaves::Something,
    check: |object| parse(object).map(drop),
    attempt: |object| match parse(object).map_err(Unobserved::because)? {
        What::Type(kind) => mount_over(Some("none"), Some(kind), MsFlags::empty()),
        What::Bind(path) => mount_over(Some(path), None, MsFlags::MS_BIND),
        What::Remount(path) => remount(path),
    },
};

/// `umount`
pub(super) const UMOUNT: Attempt = Attempt {
    name: "umount",
    object: "PATH",
    brief: "Asks to unmount what is mounted at a path.",
    long: "umount2(PATH, MNT_EXPIRE | UMOUNT_NOFOLLOW), which makes every check and on its first call only marks the mount: \
           EAGAIN (marked) and EBUSY (in use) count as allowed. A look at the path takes the mark off again. EINVAL: \
           nothing is mounted there, or the mount is locked (mount_namespaces(7)).",
    example: "attempts: { umount: { /proc: denied } }",
    leaves: Leaves::Something,
    check: check_path,
    attempt: umount,
};

/// `pivot_root`
pub(super) const PIVOT_ROOT: Attempt = Attempt {
    name: "pivot_root",
    object: "probe",
    brief: "Asks whether pivot_root(2) is permitted.",
    long: "pivot_root(\"/\", \"/\"): the root cannot be put in its own place, so that nothing changes, and any errno but a refusal counts as \
           allowed. Both paths are there, because newer kernels look for them before they look for CAP_SYS_ADMIN.",
    example: "attempts: { pivot_root: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| probe("pivot_root(\"/\", \"/\")", pivot_root("/", "/")),
};

/// `chroot`
pub(super) const CHROOT: Attempt = Attempt {
    name: "chroot",
    object: "PATH",
    brief: "Changes the root directory, and back.",
    long: "chroot(PATH), then fchdir(2) to the former root, chroot(\".\") and fchdir(2) to the former working directory.",
    example: "attempts: { chroot: { /: denied } }",
    leaves: Leaves::Something,
    check: check_path,
    attempt: |path| {
        let place = Place::keep().map_err(|errno| unprepared("open(\"/\")", errno))?;
        let result = chroot(path);
        let undone = if result.is_ok() { place.restore() } else { Ok(()) };
        Ok(with_undoing(outcome(&format!("chroot({path:?})"), result)?, undone))
    },
};

/// `open_by_handle`
pub(super) const OPEN_BY_HANDLE: Attempt = Attempt {
    name: "open_by_handle",
    object: "PATH",
    brief: "Asks whether files may be opened by their handles, on the file system of a path.",
    long: "open_by_handle_at(open(PATH, O_DIRECTORY), {8, FILEID_INO32_GEN, 0, 0}, O_PATH): the kernel looks for \
           CAP_DAC_READ_SEARCH before it looks for the file, and there is no inode 0, so that ESTALE and any other errno but a refusal \
           count as allowed. A handle names a file of the whole file system, whatever part of it is mounted.",
    example: "attempts: { open_by_handle: { /dev: denied } }",
    leaves: Leaves::Nothing,
    check: check_path,
    attempt: |path| {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty())
            .map_err(|errno| unprepared(&format!("open({path:?})"), errno))?;
        probe(&format!("open_by_handle_at({path:?}, inode 0)"), probes::open_by_handle(directory.as_fd()))
    },
};

#[derive(Debug, PartialEq, Eq)]
enum What<'o> {
    Type(&'o str),
    Bind(&'o str),
    Remount(&'o str),
}

fn parse(object: &str) -> Result<What<'_>, String> {
    match object.split_once(' ') {
        Some(("bind", path)) => check_path(path).map(|()| What::Bind(path)),
        Some(("remount", path)) => check_path(path).map(|()| What::Remount(path)),
        None if is_type(object) => Ok(What::Type(object)),
        _ => Err(format!(
            "`{object}` is nothing to mount: write a type such as `tmpfs`, `bind /PATH` or `remount /PATH`"
        )),
    }
}

/// Names of file system types are short words: `fuse.sshfs`, `cgroup2`.
pub(super) fn is_type(word: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    !word.is_empty() && word.chars().all(plain) && !matches!(word, "bind" | "remount")
}

fn mount_over(source: Option<&str>, kind: Option<&str>, flags: MsFlags) -> Result<Reading, Unobserved> {
    let point = MountPoint::find().ok_or_else(|| unprepared("no directory to mount on", Errno::ENOENT))?;
    let call = shown(source, &point.path, kind, flags);
    let result = mount(source, &point.path, kind, flags, None::<&str>);
    let undone = if result.is_ok() { umount2(&point.path, MntFlags::MNT_DETACH) } else { Ok(()) };
    Ok(with_undoing(outcome(&call, result)?, undone))
}

fn remount(path: &str) -> Result<Reading, Unobserved> {
    let before = statvfs(path).map_err(|errno| unprepared(&format!("statvfs({path:?})"), errno))?.flags();
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | mount_flags(before);
    let writable = flags - MsFlags::MS_RDONLY;
    let again = |flags| mount(None::<&str>, Path::new(path), None::<&str>, flags, None::<&str>);
    let result = again(writable);
    let undone = if result.is_ok() { again(flags) } else { Ok(()) };
    let call = shown(None, Path::new(path), None, writable);
    Ok(with_undoing(outcome(&call, result)?, undone))
}

/// The call as its man page writes it: `mount("none", "/tmp/x", "tmpfs", 0)`.
fn shown(source: Option<&str>, target: &Path, kind: Option<&str>, flags: MsFlags) -> String {
    let text = |operand: Option<&str>| operand.map_or_else(|| "NULL".to_owned(), |text| format!("{text:?}"));
    let names: Vec<&str> = flags.iter_names().map(|(name, _)| name).collect();
    let flags = if names.is_empty() { "0".to_owned() } else { names.join(" | ") };
    format!("mount({}, \"{}\", {}, {flags})", text(source), target.display(), text(kind))
}

/// All flags must be given again: leaving one out clears it, and clearing a locked one is refused.
fn mount_flags(flags: FsFlags) -> MsFlags {
    let pairs = [
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    pairs.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, flag)| flag).collect()
}

fn umount(path: &str) -> Result<Reading, Unobserved> {
    let result = umount2(path, MntFlags::MNT_EXPIRE | MntFlags::UMOUNT_NOFOLLOW);
    if result == Err(Errno::EAGAIN) {
        // Any use of the mount takes the mark off (mntput in fs/namespace.c): a second attempt marks anew.
        drop(std::fs::metadata(Path::new(path).join(".")));
    }
    let call = format!("umount2({path:?}, MNT_EXPIRE | UMOUNT_NOFOLLOW)");
    match result {
        Err(errno @ (Errno::EAGAIN | Errno::EBUSY)) => permitted(&call, errno),
        other => outcome(&call, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_is_a_type_or_a_path() {
        let check =
            |object: &str, expected: Option<What<'_>>| assert_eq!(parse(object).ok(), expected, "{object}");
        check("tmpfs", Some(What::Type("tmpfs")));
        check("bind /etc", Some(What::Bind("/etc")));
        check("remount /", Some(What::Remount("/")));
        for wrong in ["", "bind", "remount", "bind etc", "move /a", "/dev/sda", "tmp fs"] {
            check(wrong, None);
        }
    }
}
