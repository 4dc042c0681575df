//! Entering and making namespaces.

use std::fs::File;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use super::outcome::{check_path, errno, outcome, parse_pid, unprepared, with_undoing};
use super::place::Place;
use crate::fact::{Attempt, Leaves, Reading, Unobserved};

/// `CLONE_NEWTIME` of include/uapi/linux/sched.h, Linux 5.6, which nix does not have.
const NEWTIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

/// The kinds, as unshare(1) spells them, with their flags and links.
const KINDS: [(&str, CloneFlags, &str); 8] = [
    ("user", CloneFlags::CLONE_NEWUSER, "user"),
    ("mount", CloneFlags::CLONE_NEWNS, "mnt"),
    ("pid", CloneFlags::CLONE_NEWPID, "pid_for_children"),
    ("net", CloneFlags::CLONE_NEWNET, "net"),
    ("uts", CloneFlags::CLONE_NEWUTS, "uts"),
    ("ipc", CloneFlags::CLONE_NEWIPC, "ipc"),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP, "cgroup"),
    ("time", NEWTIME, "time_for_children"),
];

/// `setns`
pub(super) const SETNS: Attempt = Attempt {
    name: "setns",
    object: "PATH | \"PID NAMESPACE\"",
    brief: "Enters a namespace, and comes back.",
    long: "open(PATH, O_RDONLY), where `1 mount` is /proc/1/ns/mnt, then setns(FD, 0): setns(2). The open is a part of the \
           attempt: it has the same access check as ptrace(2). After it, setns(2) into the former namespace, and back to the \
           former root and working directory. A user namespace cannot be left again, and one's own cannot be entered \
           (EINVAL).",
    example: "attempts: { setns: { \"1 mount\": denied } }",
    leaves: Leaves::Something,
    check: |object| namespace_path(object).map(drop),
    attempt: enter,
};

/// `unshare`
pub(super) const UNSHARE: Attempt = Attempt {
    name: "unshare",
    object: "NAMESPACE",
    brief: "Makes a namespace: `user`, `mount`, `pid`, `net`, `uts`, `ipc`, `cgroup` or `time`.",
    long: "unshare(2) with that one flag, then setns(2) into the former namespace, and back to the former root and working \
           directory. There is no way back from a user namespace, nor into a namespace whose owner is a user \
           namespace in which the process has no CAP_SYS_ADMIN: what is tried after is then tried in the new one.",
    example: "attempts: { unshare: { user: denied } }",
    leaves: Leaves::Something,
    check: |object| kind(object).map(drop),
    attempt: |object| {
        let (_, flag, _) = kind(object).map_err(Unobserved::because)?;
        let kept = Kept::keep()?;
        let result = unshare(flag);
        let undone = if result.is_ok() { kept.go_back(object) } else { Ok(()) };
        Ok(with_undoing(outcome(&format!("unshare({object})"), result)?, undone))
    },
};

fn kind(name: &str) -> Result<(&'static str, CloneFlags, &'static str), String> {
    let known = || KINDS.map(|(name, ..)| name).join(", ");
    let found = KINDS.into_iter().find(|(known, ..)| *known == name);
    found.ok_or_else(|| format!("`{name}` is not a kind of namespace: there are {}", known()))
}

/// The flag of clone(2) for a kind of namespace.
pub(super) fn clone_flag(name: &str) -> Result<i32, String> {
    match kind(name)? {
        (_, NEWTIME, _) => Err("clone(2) makes no time namespaces".to_owned()),
        (_, flag, _) => Ok(flag.bits()),
    }
}

fn namespace_path(object: &str) -> Result<PathBuf, String> {
    match object.split_once(' ') {
        Some((pid, name)) if !object.starts_with('/') => {
            let pid = parse_pid(pid)?;
            let (_, _, link) = kind(name)?;
            let link = link.strip_suffix("_for_children").unwrap_or(link);
            Ok(PathBuf::from(format!("/proc/{pid}/ns/{link}")))
        }
        _ => check_path(object).map(|()| PathBuf::from(object)),
    }
}

fn enter(object: &str) -> Result<Reading, Unobserved> {
    let path = namespace_path(object).map_err(Unobserved::because)?;
    let kept = Kept::keep()?;
    let namespace = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return outcome(&format!("open({})", path.display()), Err(errno(&error))),
    };
    let before = Kept::links();
    let result = setns(&namespace, CloneFlags::empty());
    let undone = if result.is_ok() { kept.go_back_from(&before) } else { Ok(()) };
    Ok(with_undoing(outcome(&format!("setns({})", path.display()), result)?, undone))
}

/// The way back: the namespaces as they were, and the place in the mount tree.
struct Kept {
    namespaces: Vec<(&'static str, CloneFlags, File)>,
    place: Place,
}

impl Kept {
    /// Keeps those that this kernel and this /proc show; without a /proc there is no way back.
    fn keep() -> Result<Self, Unobserved> {
        let open = |(name, flag, link)| Some((name, flag, File::open(format!("/proc/self/ns/{link}")).ok()?));
        let namespaces = KINDS.into_iter().filter_map(open).collect();
        let place = Place::keep().map_err(|errno| unprepared("open(\"/\")", errno))?;
        Ok(Self { namespaces, place })
    }

    fn go_back(&self, name: &str) -> nix::Result<()> {
        let kept = self.namespaces.iter().find(|(known, ..)| *known == name);
        let (_, flag, file) = kept.ok_or(Errno::ENOENT)?;
        setns(file, *flag)?;
        self.place.restore()
    }

    /// Goes back to each namespace that is no longer what it was.
    fn go_back_from(&self, before: &[Option<PathBuf>]) -> nix::Result<()> {
        let now = Self::links();
        for ((name, ..), _) in KINDS.iter().zip(before.iter().zip(now)).filter(|(_, (was, is))| *was != is) {
            self.go_back(name)?;
        }
        // Entering the mount namespace that one is in already moves to its root too.
        self.place.restore()
    }

    fn links() -> Vec<Option<PathBuf>> {
        KINDS.iter().map(|(_, _, link)| std::fs::read_link(format!("/proc/self/ns/{link}")).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_path_or_a_process_and_a_kind() {
        let check = |object: &str, expected: Option<&str>| {
            assert_eq!(namespace_path(object).ok(), expected.map(PathBuf::from), "{object}");
        };
        check("1 mount", Some("/proc/1/ns/mnt"));
        check("7 pid", Some("/proc/7/ns/pid"));
        check("/run/netns/a b", Some("/run/netns/a b"));
        for wrong in ["", "mount", "1 mnt", "0 pid", "mount 1", "ns/pid"] {
            check(wrong, None);
        }
    }
}
