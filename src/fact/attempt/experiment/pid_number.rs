//! The numbers of PID namespaces: how deep they nest, who may choose a PID, what a namespace's parent is.

use std::fs;
use std::os::fd::AsFd;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::getpid;
use rustix::thread::CapabilitySet;

use super::child::{begin, start, within};
use super::ground::{become_root, directory, inode, namespace, own_scratch, with_only};
use super::pid::{NEWPID, grounds, mount_proc, waits};
use super::seen::{Number, Prepares, Seen, Trouble, control, gave, tried};
use super::{Experiment, ground};
use crate::sys::calls::related_namespace;
use crate::sys::offspring::Birth;

pub(super) const ALL: &[Experiment] = &[
    Experiment::counted(
        "nest_pid",
        64,
        "so many clone(CLONE_NEWPID) within each other, the last of them",
        nest_pid,
    ),
    Experiment::of(
        "set_tid",
        &["1", "2", "taken", "too_many", "zero"],
        "clone3() with a PID that is wanted, into a new PID namespace (or one in which it is taken)",
        set_tid,
    ),
    Experiment::plain(
        "set_tid_in_each",
        "clone3(CLONE_NEWPID) with the PIDs 1 and 42: the child's number in both namespaces",
        set_tid_in_each,
    ),
    Experiment::of(
        "set_tid_with",
        &["nothing", "checkpoint_restore", "sys_admin"],
        "clone3() with a PID that is wanted, and no capability but this",
        set_tid_with,
    ),
    Experiment::plain(
        "pid_max",
        "kernel.pid_max set in a PID namespace: what it is there and outside",
        pid_max,
    ),
    Experiment::plain(
        "pid_max_beyond",
        "kernel.pid_max of a PID namespace set beyond what its parent allows: what the next PID stays below",
        pid_max_beyond,
    ),
    Experiment::of(
        "parent_namespace",
        &["pid", "user", "uts"],
        "ioctl(NS_GET_PARENT) on a namespace below, from above",
        parent_namespace,
    ),
    Experiment::of(
        "parent_out_of_scope",
        &["pid", "user"],
        "ioctl(NS_GET_PARENT) on the namespace that one is in oneself",
        parent_out_of_scope,
    ),
    Experiment::plain(
        "nspid",
        "NSpid of a process two PID namespaces below, as its grandparent's /proc shows it",
        nspid,
    ),
    Experiment::plain(
        "pid_for_children_empty",
        "setns() into a PID namespace that has no process yet, by another process that then makes its first",
        pid_for_children_empty,
    ),
];

fn nest_pid(depth: &str) -> Seen {
    grounds()?;
    let depth: u32 = depth.parse().map_err(|_| Trouble::new("no number"))?;
    let errno = nest(depth)?;
    tried(if errno == 0 { Ok(()) } else { Err(nix::errno::Errno::from_raw(errno)) })
}

/// The errno of the deepest clone, or 0. Only the last may fail as the outcome; one before it fails as the outcome of all.
fn nest(left: u32) -> Result<i32, Trouble> {
    let birth = Birth { flags: libc::CLONE_NEWPID as u64, ..Birth::default() };
    let (born, line) = begin(&birth, |line| line.say(&if left > 1 { nest(left - 1)? } else { 0 }))?;
    match born {
        Err(errno) => Ok(errno.number()),
        Ok(_) => line.hear(),
    }
}

fn set_tid(what: &str) -> Seen {
    grounds()?;
    let wanted: &[i32] = match what {
        "1" => &[1],
        "2" => &[2],
        "zero" => &[0],
        "too_many" => {
            &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
        }
        _ => return set_taken_tid(),
    };
    control(born_as(libc::CLONE_NEWPID, &[1])?.is_ok(), "PID 1 can be chosen")?;
    tried(born_as(libc::CLONE_NEWPID, wanted)?)
}

fn set_taken_tid() -> Seen {
    let errno: i32 = within(NEWPID, || {
        let taken = start(0, waits)?;
        control(born_as(0, &[taken.pid + 10])?.is_ok(), "a free PID can be chosen")?;
        Ok(born_as(0, &[taken.pid])?.err().map_or(0, |errno| errno as i32))
    })?;
    tried(if errno == 0 { Ok(()) } else { Err(nix::errno::Errno::from_raw(errno)) })
}

fn born_as(flags: i32, set_tid: &[i32]) -> Result<nix::Result<i32>, Trouble> {
    let birth = Birth { flags: u64::from(flags.cast_unsigned()), set_tid, ..Birth::default() };
    let (born, line) = begin(&birth, |line| line.say(&getpid().as_raw()))?;
    born.map_or_else(|errno| Ok(Err(errno)), |_| line.hear().map(Ok))
}

fn set_tid_in_each(_: &str) -> Seen {
    grounds()?;
    gave(within(NEWPID, || {
        let birth = Birth { flags: libc::CLONE_NEWPID as u64, set_tid: &[1, 42], ..Birth::default() };
        let (born, line) = begin(&birth, |line| line.say(&getpid().as_raw()))?;
        Ok(format!("{} inside, {} above", line.hear::<i32>()?, born.prepares("clone3(set_tid)")?.pid))
    })?)
}

fn set_tid_with(what: &str) -> Seen {
    grounds()?;
    let kept = match what {
        "checkpoint_restore" => CapabilitySet::CHECKPOINT_RESTORE,
        "sys_admin" => CapabilitySet::SYS_ADMIN,
        _ => CapabilitySet::empty(),
    };
    let errno: i32 = within(NEWPID, || {
        control(born_as(0, &[40])?.is_ok(), "with all capabilities it can be chosen")?;
        with_only(kept)?;
        Ok(born_as(0, &[50])?.err().map_or(0, |errno| errno as i32))
    })?;
    tried(if errno == 0 { Ok(()) } else { Err(nix::errno::Errno::from_raw(errno)) })
}

fn pid_max(_: &str) -> Seen {
    own_scratch()?;
    let outside = || fs::read_to_string("/proc/sys/kernel/pid_max").prepares("read(pid_max)");
    let before = outside()?;
    let inside = within(NEWPID, || {
        mount_proc("p", "")?;
        fs::write("p/sys/kernel/pid_max", "400").prepares("write(pid_max)")?;
        fs::read_to_string("p/sys/kernel/pid_max").prepares("read(pid_max)")
    })?;
    let word = if outside()? == before { "as it was" } else { "changed" };
    gave(format!("{} inside, {word} outside", inside.trim()))
}

fn pid_max_beyond(_: &str) -> Seen {
    own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", "")?;
        fs::write("p/sys/kernel/pid_max", "400").prepares("write(pid_max)")?;
        within(NEWPID, || {
            mount_proc("q", "")?;
            fs::write("q/sys/kernel/pid_max", "4000").prepares("write(pid_max) below")?;
            directory("done")
        })?;
        // Whatever the namespace below says of itself, its processes have numbers here as well.
        fs::write("p/sys/kernel/ns_last_pid", "399").prepares("write(ns_last_pid)")?;
        let next = start(0, super::child::Line::go)?;
        Ok(if next.pid <= 400 { "wraps" } else { "goes beyond" }.to_owned())
    })?)
}

fn parent_namespace(kind: &str) -> Seen {
    grounds()?;
    let (flag, kind) = match kind {
        "pid" => (NEWPID, "pid"),
        "user" => (libc::CLONE_NEWUSER, "user"),
        _ => (libc::CLONE_NEWUTS, "uts"),
    };
    let below = start(flag, waits)?;
    below.line.wait()?;
    let namespace_below = namespace(&below.pid.to_string(), kind)?;
    match related_namespace(&namespace_below, libc::NS_GET_PARENT) {
        Err(errno) => tried::<()>(Err(errno)),
        Ok(parent) => {
            let own = inode(&parent)? == inode(&namespace("self", kind)?)?;
            gave(if own { "one's own" } else { "another" })
        }
    }
}

fn parent_out_of_scope(kind: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    let below = start(if kind == "pid" { NEWPID } else { libc::CLONE_NEWUSER }, waits)?;
    below.line.wait()?;
    let control_of = namespace(&below.pid.to_string(), kind)?;
    control(
        related_namespace(&control_of, libc::NS_GET_PARENT).is_ok(),
        "that of a namespace below is told",
    )?;
    tried(related_namespace(&namespace("self", kind)?.as_fd(), libc::NS_GET_PARENT))
}

fn nspid(_: &str) -> Seen {
    own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", "")?;
        let birth = Birth { flags: libc::CLONE_NEWPID as u64, set_tid: &[1, 7], ..Birth::default() };
        let (born, line) = begin(&birth, waits)?;
        let pid = born.prepares("clone3(set_tid)")?.pid;
        line.wait()?;
        let text = fs::read_to_string(format!("p/{pid}/status")).prepares("read(status)")?;
        ground::line(&text, "NSpid")
    })?)
}

fn pid_for_children_empty(_: &str) -> Seen {
    grounds()?;
    let maker = start(0, |line| {
        unshare(CloneFlags::CLONE_NEWPID).prepares("unshare(CLONE_NEWPID)")?;
        waits(line)
    })?;
    maker.line.wait()?;
    let path = format!("/proc/{}/ns/pid_for_children", maker.pid);
    match fs::File::open(path) {
        Err(error) => tried::<()>(Err(error)),
        Ok(empty) => {
            nix::sched::setns(&empty, CloneFlags::CLONE_NEWPID).prepares("setns(pid)")?;
            gave(format!("PID {}", within(0, || Ok(getpid().as_raw()))?))
        }
    }
}
