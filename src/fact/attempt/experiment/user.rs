//! User namespaces: what is gained and lost in them, who owns what, how deep they nest.

use std::fs::{self, File};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{chroot, getgid, getuid, sethostname};
use rustix::thread::CapabilitySet;

use super::child::{start, within};
use super::ground::{
    become_root, become_user, inode, namespace, own, rights, status, status_after_exec, without_capabilities,
};
use super::pid::waits;
use super::pidfd::{failed, number};
use super::seen::{Number, Prepares, Seen, Trouble, control, gave, tried};
use super::{Experiment, ground};
use crate::sys::calls::{self, namespace_type, owner_uid, related_namespace};

pub(super) const ALL: &[Experiment] = &[
    Experiment::counted(
        "nest_user",
        64,
        "so many clone(CLONE_NEWUSER) within each other, the last of them",
        nest_user,
    ),
    Experiment::plain(
        "unmapped_ids",
        "clone(CLONE_NEWUSER) without a map: the child's user and group",
        unmapped_ids,
    ),
    Experiment::of(
        "capabilities_in",
        &["new", "joined", "unprivileged"],
        "the capabilities in a user namespace that was made, or entered from above, or made by somebody without any",
        capabilities_in,
    ),
    Experiment::of(
        "exec_in_user",
        &["root", "other"],
        "execve() in a user namespace, by its root or by another user: the effective capabilities after",
        exec_in_user,
    ),
    Experiment::plain(
        "rights_above",
        "sethostname() by root of a user namespace, in the UTS namespace of its parent",
        rights_above,
    ),
    Experiment::plain("rights_within", "the same in a UTS namespace that it made itself", rights_within),
    Experiment::of(
        "setns_user",
        &["parent", "own", "child"],
        "setns() into a user namespace that is above, one's own, or below",
        setns_user,
    ),
    Experiment::of(
        "user_of_child",
        &["plain", "unshared"],
        "the user namespace of a child, or of one that has called unshare(CLONE_NEWUSER), beside its parent's",
        user_of_child,
    ),
    Experiment::plain("unshare_in_chroot", "unshare(CLONE_NEWUSER) in a chroot", unshare_in_chroot),
    Experiment::of(
        "unshare_unprivileged",
        &["uts", "ipc", "mount", "pid", "net", "cgroup"],
        "unshare() of a kind of namespace without capabilities",
        unshare_unprivileged,
    ),
    Experiment::of(
        "owner_of",
        &["uts", "ipc", "net", "pid", "mnt"],
        "ioctl(NS_GET_USERNS) on a namespace that was made: whose it is",
        owner_of,
    ),
    Experiment::plain(
        "owner_out_of_scope",
        "ioctl(NS_GET_USERNS) on a namespace whose owner is above",
        owner_out_of_scope,
    ),
    Experiment::of(
        "namespace_ioctl",
        &["type", "uid", "uid_of_uts", "type_of_file"],
        "ioctl_nsfs(2) on a namespace, and on what is none",
        namespace_ioctl,
    ),
    Experiment::of(
        "setns_wrong",
        &["closed", "file", "type", "unprivileged"],
        "setns() on no descriptor, no namespace, one of another kind, or without CAP_SYS_ADMIN",
        setns_wrong,
    ),
    Experiment::of(
        "raw_socket",
        &["own", "above"],
        "socket(SOCK_RAW) by root of a user namespace, in a network namespace of its own or in that above",
        raw_socket,
    ),
    Experiment::plain(
        "device_node",
        "mknod() of a device on a tmpfs that root of a user namespace has mounted itself",
        device_node,
    ),
    Experiment::plain(
        "max_user_namespaces",
        "unshare(CLONE_NEWUSER) once user.max_user_namespaces of the parent is 0",
        max_user_namespaces,
    ),
];

fn nest_user(depth: &str) -> Seen {
    let depth: u32 = depth.parse().map_err(|_| Trouble::new("no number"))?;
    failed(nest((getuid().as_raw(), getgid().as_raw()), depth)?)
}

/// Each maps its own root to whoever made it.
fn nest(maker: (u32, u32), left: u32) -> Result<i32, Trouble> {
    within(0, || match unshare(CloneFlags::CLONE_NEWUSER) {
        Err(errno) => Ok(errno.number()),
        Ok(()) if left == 1 => Ok(0),
        Ok(()) => {
            // Who has no user, or no group, in a namespace can make none below it.
            ground::map_own(0, maker.0, maker.1)?;
            nest((0, 0), left - 1)
        }
    })
}

fn unmapped_ids(_: &str) -> Seen {
    gave(within(libc::CLONE_NEWUSER, || Ok(format!("{}:{}", getuid(), getgid())))?)
}

/// Whether these are all that there are: those of the bounding set, capabilities(7).
fn all_or_none(effective: CapabilitySet) -> Result<&'static str, Trouble> {
    let all = u64::from_str_radix(&status("CapBnd")?, 16).unwrap_or_default();
    Ok(if effective.is_empty() {
        "none"
    } else if effective.bits() == all {
        "all"
    } else {
        "some"
    })
}

fn capabilities_in(what: &str) -> Seen {
    if what == "joined" {
        become_root(CloneFlags::empty())?;
        let below = start(libc::CLONE_NEWUSER, waits)?;
        below.line.wait()?;
        setns(&below.pidfd, CloneFlags::CLONE_NEWUSER).prepares("setns(user)")?;
        return gave(all_or_none(rights()?.effective)?);
    }
    if what == "unprivileged" {
        without_capabilities()?;
    }
    own(CloneFlags::CLONE_NEWUSER)?;
    gave(all_or_none(rights()?.effective)?)
}

fn exec_in_user(who: &str) -> Seen {
    become_user(if who == "root" { 0 } else { 1000 }, CloneFlags::empty())?;
    control(!rights()?.effective.is_empty(), "there are capabilities before")?;
    let after = status_after_exec(|| Ok(()))?;
    let effective = ground::line(&after, "CapEff")?;
    let all = ground::line(&after, "CapBnd")?;
    gave(if effective == all {
        "all"
    } else if effective.trim_matches('0').is_empty() {
        "none"
    } else {
        "some"
    })
}

fn rights_above(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWUTS)?;
    control(sethostname("above").is_ok(), "its owner can name it")?;
    failed(within(libc::CLONE_NEWUSER, || Ok(number(sethostname("below"))))?)
}

fn rights_within(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWUTS)?;
    failed(within(libc::CLONE_NEWUSER | libc::CLONE_NEWUTS, || Ok(number(sethostname("below"))))?)
}

fn setns_user(which: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    let own = namespace("self", "user")?;
    let enter = || Ok(number(setns(&own, CloneFlags::CLONE_NEWUSER)));
    match which {
        "parent" => failed(within(libc::CLONE_NEWUSER, enter)?),
        "own" => failed(enter()?),
        _ => {
            let below = start(libc::CLONE_NEWUSER, waits)?;
            below.line.wait()?;
            tried(setns(&namespace(&below.pid.to_string(), "user")?, CloneFlags::CLONE_NEWUSER))
        }
    }
}

fn user_of_child(what: &str) -> Seen {
    let own = inode(&namespace("self", "user")?)?;
    let of_child = within(0, || {
        if what == "unshared" {
            ground::own(CloneFlags::CLONE_NEWUSER)?;
        }
        inode(&namespace("self", "user")?)
    })?;
    gave(if of_child == own { "the same" } else { "another" })
}

fn unshare_in_chroot(_: &str) -> Seen {
    ground::own_scratch()?;
    let make = || Ok(number(unshare(CloneFlags::CLONE_NEWUSER)));
    control(within(0, make)? == 0, "without the chroot it can be made")?;
    ground::directory("root")?;
    chroot("root").prepares("chroot()")?;
    failed(within(0, make)?)
}

fn unshare_unprivileged(kind: &str) -> Seen {
    let flag = match kind {
        "uts" => CloneFlags::CLONE_NEWUTS,
        "ipc" => CloneFlags::CLONE_NEWIPC,
        "mount" => CloneFlags::CLONE_NEWNS,
        "pid" => CloneFlags::CLONE_NEWPID,
        "net" => CloneFlags::CLONE_NEWNET,
        _ => CloneFlags::CLONE_NEWCGROUP,
    };
    become_root(CloneFlags::empty())?;
    control(within(0, || Ok(unshare(flag).is_ok()))?, "with the right it can be made")?;
    without_capabilities()?;
    tried(unshare(flag))
}

fn owner_of(kind: &str) -> Seen {
    let flag = match kind {
        "uts" => libc::CLONE_NEWUTS,
        "ipc" => libc::CLONE_NEWIPC,
        "net" => libc::CLONE_NEWNET,
        "pid" => libc::CLONE_NEWPID,
        _ => libc::CLONE_NEWNS,
    };
    become_root(CloneFlags::empty())?;
    let child = start(flag, waits)?;
    child.line.wait()?;
    let owner = related_namespace(&namespace(&child.pid.to_string(), kind)?, libc::NS_GET_USERNS);
    let own = inode(&owner.prepares("ioctl(NS_GET_USERNS)")?)? == inode(&namespace("self", "user")?)?;
    gave(if own { "the maker's" } else { "another's" })
}

fn owner_out_of_scope(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWUTS)?;
    let ask = |uts: &std::os::fd::OwnedFd| number(related_namespace(uts, libc::NS_GET_USERNS));
    let above = namespace("self", "uts")?;
    control(ask(&above) == 0, "from the owner's own user namespace it is told")?;
    failed(within(libc::CLONE_NEWUSER, || Ok(ask(&above)))?)
}

fn namespace_ioctl(what: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWUTS)?;
    let (uts, user) = (namespace("self", "uts")?, namespace("self", "user")?);
    match what {
        "type" => gave(match namespace_type(&uts).prepares("ioctl(NS_GET_NSTYPE)")? {
            libc::CLONE_NEWUTS => "CLONE_NEWUTS",
            _ => "another",
        }),
        // As the caller's own user namespace maps whoever made it.
        "uid" => gave(owner_uid(&user).prepares("ioctl(NS_GET_OWNER_UID)")?.to_string()),
        "uid_of_uts" => tried(owner_uid(&uts)),
        _ => tried(namespace_type(&File::open("/dev/null").prepares("open(/dev/null)")?)),
    }
}

fn setns_wrong(what: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    let child = start(libc::CLONE_NEWUTS, waits)?;
    child.line.wait()?;
    let uts = namespace(&child.pid.to_string(), "uts")?;
    control(within(0, || Ok(setns(&uts, CloneFlags::CLONE_NEWUTS).is_ok()))?, "it can be entered")?;
    match what {
        "closed" => tried(calls::setns_number(1000, 0)),
        "file" => tried(setns(File::open("/dev/null").prepares("open(/dev/null)")?, CloneFlags::empty())),
        "type" => tried(setns(&uts, CloneFlags::CLONE_NEWIPC)),
        _ => {
            without_capabilities()?;
            tried(setns(&uts, CloneFlags::CLONE_NEWUTS))
        }
    }
}

fn raw_socket(place: &str) -> Seen {
    let made = || {
        socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            nix::sys::socket::SockProtocol::Icmp,
        )
    };
    become_root(CloneFlags::CLONE_NEWNET)?;
    if place == "own" {
        return tried(made());
    }
    control(made().is_ok(), "the owner of the network namespace can have one")?;
    failed(within(libc::CLONE_NEWUSER, || Ok(number(made())))?)
}

fn device_node(_: &str) -> Seen {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    ground::own_scratch()?;
    control(mknod("fifo", SFlag::S_IFIFO, Mode::S_IRUSR, 0).is_ok(), "a fifo can be made there")?;
    tried(mknod("null", SFlag::S_IFCHR, Mode::S_IRUSR, makedev(1, 3)))
}

fn max_user_namespaces(_: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    let make = || Ok(number(unshare(CloneFlags::CLONE_NEWUSER)));
    control(within(0, make)? == 0, "before that it can be made")?;
    fs::write("/proc/sys/user/max_user_namespaces", "0").prepares("write(user.max_user_namespaces)")?;
    failed(within(0, make)?)
}
