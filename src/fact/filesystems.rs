//! The file system that a path lies on: how much it holds (statvfs(3)).

use rustix::fs::{OFlags, StatVfs, StatVfsMountFlags, fstatvfs};
use serde_json::{Value, json};

use super::evidence::reading;
use super::paths::{absolute, open_in_root, unseen};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

const fn flag(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Bool, brief }
}

/// `filesystems`
pub(super) const FILESYSTEMS: Fact = Fact {
    name: "filesystems",
    argument: Some("PATH"),
    kind: Kind::Record(&[
        Field {
            name: "size",
            kind: Kind::Limit,
            brief: "How many bytes it holds; `unlimited` where nothing limits them.",
        },
        Field {
            name: "inodes",
            kind: Kind::Limit,
            brief: "How many files it holds; `unlimited` where nothing limits them.",
        },
        flag("ro", "Whether it is read-only, by its own flag or the mount's."),
        flag("nosuid", "Whether setuid bits and file capabilities have no effect."),
        flag("nodev", "Whether device nodes on it cannot be opened."),
        flag("noexec", "Whether programs on it cannot be run."),
    ]),
    views: EVERYWHERE,
    brief: "The file system that a path lies on: its size and its flags.",
    long: "fstatvfs(3) of the path, which need not be a mount point; a symbolic link is followed. `size` is f_blocks times \
           f_frsize, `inodes` f_files. Both are 0 in the kernel's answer, and `unlimited` here, for a tmpfs without a limit and \
           for file systems that keep nothing, such as proc. Outside, the path is followed in the process's own root.",
    example: "filesystems: { /dev/shm: { size: { at_most: 64MiB }, nodev: true } }",
    observe: |subject, path| observe(subject, path),
    relate: None,
};

fn observe(subject: &Subject, path: &str) -> Result<Reading, Unobserved> {
    absolute(path)?;
    let file = open_in_root(subject, path, OFlags::PATH).map_err(|errno| unseen(path, errno))?;
    let stat = fstatvfs(&file).map_err(|errno| unseen(path, errno))?;
    let value = describe(&stat);
    let raw = format!("statvfs({path:?}) = {value}");
    Ok(reading(value, raw))
}

fn describe(stat: &StatVfs) -> Value {
    let has = |flag| stat.f_flag.contains(flag);
    json!({
        "size": limit(stat.f_blocks.saturating_mul(stat.f_frsize)),
        "inodes": limit(stat.f_files),
        "ro": has(StatVfsMountFlags::RDONLY),
        "nosuid": has(StatVfsMountFlags::NOSUID),
        "nodev": has(StatVfsMountFlags::NODEV),
        "noexec": has(StatVfsMountFlags::NOEXEC),
    })
}

/// tmpfs(5): without a limit the kernel says 0.
fn limit(number: u64) -> Value {
    if number == 0 { "unlimited".into() } else { number.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_no_limit() {
        assert_eq!(limit(0), json!("unlimited"));
        assert_eq!(limit(65_536), json!(65_536));
    }

    #[test]
    fn the_same_is_seen_from_both_sides() {
        let own = i32::try_from(std::process::id()).unwrap();
        let [inside, outside] = [Subject::oneself(), Subject::other(own, None)]
            .map(|subject| observe(&subject, "/proc").unwrap().value);
        assert_eq!(inside, outside);
        assert_eq!(inside["size"], json!("unlimited"));
    }

    #[test]
    fn what_is_not_there_has_no_file_system() {
        let reason = observe(&Subject::oneself(), "/no/such").unwrap_err().reason;
        assert_eq!(reason, "cannot look at /no/such: ENOENT");
    }
}
