//! What capabilities guard of files, tried on a file that the attempt makes for it, or without changing the file that is named.

use std::fs::{File, OpenOptions, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, fchown};
use rustix::fs::{IFlags, XattrFlags};

use super::outcome::{check_path, check_probe, errno, outcome, probe, unprepared, with_undoing};
use super::place::writable_name;
use crate::fact::{Attempt, Leaves, Unobserved};
use crate::sys::rights;

/// `chown`
pub(super) const CHOWN: Attempt = Attempt {
    name: "chown",
    object: "\"UID:GID\"",
    brief: "Gives a file of its own to somebody else.",
    long: "A scratch file, then fchown(2), then unlink(2): CAP_CHOWN. An id that the user namespace does not map is EINVAL.",
    example: "attempts: { chown: { \"1:1\": allowed } }",
    leaves: Leaves::Nothing,
    check: |object| parse_owner(object).map(drop),
    attempt: |object| {
        let (uid, gid) = parse_owner(object).map_err(Unobserved::because)?;
        let scratch = Scratch::make()?;
        outcome(&format!("fchown({object})"), fchown(&scratch.file, Some(uid), Some(gid)))
    },
};

/// `chmod`
pub(super) const CHMOD: Attempt = Attempt {
    name: "chmod",
    object: "PATH",
    brief: "Sets a file's mode, to what it is.",
    long: "stat(2), then chmod(2) with the same mode: who does not own the file needs CAP_FOWNER.",
    example: "attempts: { chmod: { /etc/passwd: allowed } }",
    leaves: Leaves::Something,
    check: check_path,
    attempt: |path| {
        let mode = std::fs::metadata(path).map_err(|error| unprepared("stat", errno(&error)))?.permissions();
        let result = std::fs::set_permissions(path, mode).map_err(|error| errno(&error));
        outcome(&format!("chmod({path:?})"), result)
    },
};

/// `locked_file`
pub(super) const LOCKED_FILE: Attempt = Attempt {
    name: "locked_file",
    object: "read | write",
    brief: "Opens a file of its own whose mode lets nobody open it.",
    long: "A scratch file of mode 000, then open(2) with O_RDONLY or O_WRONLY, then unlink(2): CAP_DAC_OVERRIDE, and for \
           reading CAP_DAC_READ_SEARCH as well.",
    example: "attempts: { locked_file: { read: allowed } }",
    leaves: Leaves::Nothing,
    check: |object| match object {
        "read" | "write" => Ok(()),
        _ => Err(format!("`{object}` is not known here: write `read` or `write`")),
    },
    attempt: |object| {
        let scratch = Scratch::make()?;
        let locked = scratch.file.set_permissions(Permissions::from_mode(0o000));
        locked.map_err(|error| unprepared("chmod", errno(&error)))?;
        let opened = OpenOptions::new().read(object == "read").write(object == "write").open(&scratch.path);
        outcome(&format!("open(mode 000, {object})"), opened.map(drop).map_err(|error| errno(&error)))
    },
};

/// `chattr`
pub(super) const CHATTR: Attempt = Attempt {
    name: "chattr",
    object: "append",
    brief: "Lets a file of its own only grow.",
    long: "A scratch file, then ioctl(FS_IOC_SETFLAGS) with FS_APPEND_FL, then without, then unlink(2): \
           CAP_LINUX_IMMUTABLE. On a tmpfs from Linux 6.6 on (ENOTTY before).",
    example: "attempts: { chattr: { append: denied } }",
    leaves: Leaves::Something,
    check: |object| if object == "append" { Ok(()) } else { Err("write `append`".to_owned()) },
    attempt: |_| {
        let scratch = Scratch::make()?;
        let flags =
            rustix::fs::ioctl_getflags(&scratch.file).map_err(|error| prepared("FS_IOC_GETFLAGS", error))?;
        let set = rustix::fs::ioctl_setflags(&scratch.file, flags | IFlags::APPEND);
        let undone = if set.is_ok() { rustix::fs::ioctl_setflags(&scratch.file, flags) } else { Ok(()) };
        let reading = outcome("ioctl(FS_IOC_SETFLAGS, FS_APPEND_FL)", set.map_err(plain))?;
        Ok(with_undoing(reading, undone.map_err(plain)))
    },
};

/// `file_capability`
pub(super) const FILE_CAPABILITY: Attempt = Attempt {
    name: "file_capability",
    object: "probe",
    brief: "Gives a file of its own a file capability: the empty set.",
    long: "A scratch file, then fsetxattr(2) of security.capability, version 2, with no capability in it, then unlink(2): \
           CAP_SETFCAP.",
    example: "attempts: { file_capability: { probe: allowed } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| {
        let scratch = Scratch::make()?;
        // struct vfs_cap_data: VFS_CAP_REVISION_2, little-endian, and four empty words (include/uapi/linux/capability.h).
        let mut value = [0_u8; 20];
        value[3] = 2;
        let set = rustix::fs::fsetxattr(&scratch.file, "security.capability", &value, XattrFlags::empty());
        outcome("fsetxattr(security.capability)", set.map_err(plain))
    },
};

/// `lease`
pub(super) const LEASE: Attempt = Attempt {
    name: "lease",
    object: "PATH",
    brief: "Asks to be told when others open a file.",
    long: "open(PATH, O_RDONLY), then fcntl(F_SETLEASE, F_RDLCK), and F_UNLCK after: who does not own the file needs \
           CAP_LEASE. The kernel looks for that first, so that EINVAL, of what is no regular file, counts as allowed.",
    example: "attempts: { lease: { /dev/null: allowed } }",
    leaves: Leaves::Nothing,
    check: check_path,
    attempt: |path| {
        let file = File::open(path).map_err(|error| unprepared("open", errno(&error)))?;
        let result = rights::lease(file.as_fd());
        let undone = if result.is_ok() { rights::give_lease_back(file.as_fd()) } else { Ok(()) };
        Ok(with_undoing(probe(&format!("fcntl({path:?}, F_SETLEASE, F_RDLCK)"), result)?, undone))
    },
};

/// `fibmap`
pub(super) const FIBMAP: Attempt = Attempt {
    name: "fibmap",
    object: "probe",
    brief: "Asks where on its disk a file lies.",
    long: "A scratch file, then ioctl(FIBMAP, NULL), then unlink(2): the kernel looks for CAP_SYS_RAWIO first, and then \
           refuses the pointer with EFAULT, which counts as allowed.",
    example: "attempts: { fibmap: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| probe("ioctl(FIBMAP, NULL)", rights::fibmap(Scratch::make()?.file.as_fd())),
};

/// `mapped_file`
pub(super) const MAPPED_FILE: Attempt = Attempt {
    name: "mapped_file",
    object: "probe",
    brief: "Opens the file behind a mapping of its memory, by /proc/self/map_files.",
    long: "open(2) of the first link, for reading: CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN over the machine. It leads to the \
           file whatever mount namespace that is in, proc_pid_map_files(5).",
    example: "attempts: { mapped_file: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| {
        let links = std::fs::read_dir("/proc/self/map_files");
        let first = links.and_then(|mut links| links.next().transpose());
        let first = first.map_err(|error| unprepared("readdir(/proc/self/map_files)", errno(&error)))?;
        let link = first.ok_or_else(|| unprepared("no file is mapped", Errno::ENOENT))?.path();
        let opened = File::open(&link).map(drop).map_err(|error| errno(&error));
        outcome(&format!("open({})", link.display()), opened)
    },
};

/// A file that was not there before, and is gone after.
struct Scratch {
    path: PathBuf,
    file: File,
}

impl Scratch {
    fn make() -> Result<Self, Unobserved> {
        let path = writable_name();
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| unprepared("no directory to make a file in", errno(&error)))?;
        Ok(Self { path, file })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn parse_owner(object: &str) -> Result<(Uid, Gid), String> {
    let ids = object.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    let (uid, gid) = ids.ok_or_else(|| format!("`{object}` is no owner: write `UID:GID`, as numbers"))?;
    Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
}

fn plain(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

fn prepared(what: &str, errno: rustix::io::Errno) -> Unobserved {
    unprepared(what, plain(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_two_numbers() {
        let check = |object: &str, expected: Option<(u32, u32)>| {
            let owner = parse_owner(object).ok().map(|(uid, gid)| (uid.as_raw(), gid.as_raw()));
            assert_eq!(owner, expected, "{object}");
        };
        check("1:2", Some((1, 2)));
        for wrong in ["", "1", "1:", "root:root", "-1:0", "1:2:3"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_scratch_file_is_gone_after() {
        let scratch = Scratch::make().unwrap();
        let path = scratch.path.clone();
        assert!(path.exists());
        drop(scratch);
        assert!(!path.exists());
    }
}
