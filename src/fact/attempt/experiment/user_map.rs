//! The maps of user namespaces: who may write which, and how they read.

use std::fs;

use nix::sched::CloneFlags;
use nix::unistd::{Gid, getegid, geteuid, getgid, getuid, setgroups};

use super::Experiment;
use super::child::{Child, start, within};
use super::ground::{become_root, become_user, own, without_capabilities, write_map};
use super::pid::waits;
use super::pidfd::failed;
use super::seen::{Number, Prepares, Seen, Trouble, control, gave, tried};

pub(super) const ALL: &[Experiment] = &[
    Experiment::plain(
        "map_of_child",
        "uid_map and gid_map of a child written by its parent: the child's user and group after",
        map_of_child,
    ),
    Experiment::of(
        "map_read",
        &["within", "above"],
        "uid_map of a user namespace, read from within and from the one above its parent",
        map_read,
    ),
    Experiment::of(
        "map_write",
        &["twice", "empty", "garbage", "no_length", "overlapping", "another_id", "two_ids", "wrap"],
        "write() of a wrong uid_map",
        map_write,
    ),
    Experiment::of(
        "gid_map",
        &["before_setgroups", "after_setgroups"],
        "write() of a gid_map by a user without rights, before and after setgroups is `deny`",
        gid_map,
    ),
    Experiment::of(
        "setgroups",
        &["denied", "allowed_again", "before_map"],
        "setgroups() where it is denied; `allow` written after `deny`; setgroups() before there is a map",
        set_groups,
    ),
    Experiment::counted("map_extents", 400, "write() of a uid_map of so many lines", map_extents),
    Experiment::counted(
        "map_translates",
        300,
        "a uid_map of so many lines in a namespace within one of as many: the id above, read from a file",
        map_translates,
    ),
    Experiment::plain(
        "map_not_above",
        "write() of a uid_map whose ids its parent namespace does not map",
        map_not_above,
    ),
];

fn map_of_child(_: &str) -> Seen {
    let child = unmapped()?;
    map(&child, 7)?;
    child.line.go()?;
    gave(child.line.hear::<String>()?)
}

/// A child in a user namespace of its own, which tells its ids once it may.
fn unmapped() -> Result<Child, Trouble> {
    start(libc::CLONE_NEWUSER, |line| {
        line.wait()?;
        line.say(&format!("{}:{}", getuid(), getgid()))
    })
}

fn map(child: &Child, id: u32) -> Result<(), Trouble> {
    let pid = child.pid.to_string();
    write_map(&pid, "uid_map", &format!("{id} {} 1", geteuid()))?;
    write_map(&pid, "setgroups", "deny")?;
    write_map(&pid, "gid_map", &format!("{id} {} 1", getegid()))
}

fn map_read(from: &str) -> Seen {
    let own = geteuid().as_raw();
    let child = start(0, |line| {
        become_root(CloneFlags::empty())?;
        let below = start(libc::CLONE_NEWUSER, |below| {
            below.wait()?;
            below.say(&read("self")?)?;
            waits(below)
        })?;
        map(&below, 5)?;
        below.line.go()?;
        line.say(&(below.pid, below.line.hear::<String>()?))?;
        line.wait()
    })?;
    let (pid, within): (i32, String) = child.line.hear()?;
    let shown = if from == "within" { within } else { read(&pid.to_string())? };
    let own = format!("5 {own} 1");
    gave(if from == "above" && shown == own { "5 to the user above".to_owned() } else { shown })
}

fn read(pid: &str) -> Result<String, Trouble> {
    let text = fs::read_to_string(format!("/proc/{pid}/uid_map")).prepares("read(uid_map)")?;
    Ok(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

fn map_write(what: &str) -> Seen {
    // To map root of the namespace above is a right of its own (CAP_SETFCAP).
    become_user(1000, CloneFlags::empty())?;
    without_capabilities()?;
    let id = 1000;
    let right = format!("0 {id} 1");
    let text = match what {
        "empty" => "\n".to_owned(),
        "garbage" => format!("0 {id} 1 more"),
        "no_length" => format!("0 {id} 0"),
        "overlapping" => format!("0 {id} 1\n0 {id} 1"),
        "another_id" => format!("0 {} 1", id + 1),
        "two_ids" => format!("0 {id} 2"),
        "wrap" => format!("4294967295 {id} 2"),
        _ => right.clone(),
    };
    failed(within(libc::CLONE_NEWUSER, || {
        let write = |text: &str| fs::write("/proc/self/uid_map", text);
        if what == "twice" {
            write(&right).prepares("write(uid_map)")?;
            return Ok(write(&right).err().map_or(0, |error| error.number()));
        }
        let wrong = write(&text).err().map_or(0, |error| error.number());
        // What was refused has changed nothing: the right one is then taken.
        write(&right).prepares("write(uid_map) of the right one")?;
        Ok(wrong)
    })?)
}

fn gid_map(when: &str) -> Seen {
    let map = format!("0 {} 1", getegid());
    without_capabilities()?;
    failed(within(libc::CLONE_NEWUSER, || {
        let write = || fs::write("/proc/self/gid_map", &map).err().map_or(0, |error| error.number());
        if when == "after_setgroups" {
            write_map("self", "setgroups", "deny")?;
            return Ok(write());
        }
        let refused = write();
        write_map("self", "setgroups", "deny")?;
        control(write() == 0, "after `deny` it is taken")?;
        Ok(refused)
    })?)
}

fn set_groups(what: &str) -> Seen {
    if what == "before_map" {
        own(CloneFlags::CLONE_NEWUSER)?;
        return tried(setgroups(&[]));
    }
    become_root(CloneFlags::empty())?;
    match what {
        "denied" => tried(setgroups(&[Gid::from_raw(0)])),
        _ => tried(fs::write("/proc/self/setgroups", "allow")),
    }
}

/// The ids of these lines, with gaps between them so that no two can be one.
fn extents(count: u32) -> String {
    let lines: Vec<String> = (0..count).map(|line| format!("{0} {0} 1", line * 2)).collect();
    lines.join("\n")
}

fn map_extents(count: &str) -> Seen {
    let count: u32 = count.parse().map_err(|_| Trouble::new("no number"))?;
    let child = unmapped()?;
    tried(fs::write(format!("/proc/{}/uid_map", child.pid), extents(count)))
}

fn map_translates(count: &str) -> Seen {
    let count: u32 = count.parse().map_err(|_| Trouble::new("no number"))?;
    let last = (count - 1) * 2;
    let outer = unmapped_waiting()?;
    for file in ["uid_map", "gid_map"] {
        write_map(&outer.pid.to_string(), file, &extents(count))?;
    }
    outer.line.go()?;
    let inner: i32 = outer.line.hear()?;
    // Within: the ids in the opposite order.
    let turned: Vec<String> = (0..count).map(|line| format!("{} {} 1", line * 3, last - line * 2)).collect();
    let written = within(0, || {
        let above = super::ground::namespace(&outer.pid.to_string(), "user")?;
        nix::sched::setns(&above, CloneFlags::CLONE_NEWUSER).prepares("setns(user)")?;
        nix::unistd::setuid(0.into()).prepares("setuid()")?;
        write_map(&inner.to_string(), "uid_map", &turned.join("\n"))
    });
    written?;
    let shown = fs::read_to_string(format!("/proc/{inner}/uid_map")).prepares("read(uid_map)")?;
    let right = shown.lines().enumerate().all(|(line, text)| {
        let numbers: Vec<u32> = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        u32::try_from(line).is_ok_and(|line| numbers == [line * 3, last - line * 2, 1])
    });
    gave(if right && shown.lines().count() == count as usize { "each to its own" } else { "wrongly" })
}

/// A child in a user namespace that makes another below it, once it may.
fn unmapped_waiting() -> Result<Child, Trouble> {
    start(libc::CLONE_NEWUSER, |line| {
        line.wait()?;
        let below = start(libc::CLONE_NEWUSER, waits)?;
        below.line.wait()?;
        line.say(&below.pid)?;
        line.wait()
    })
}

fn map_not_above(_: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    let child = unmapped()?;
    let wrong = fs::write(format!("/proc/{}/uid_map", child.pid), "0 4000 1");
    map(&child, 0)?;
    failed(wrong.err().map_or(0, |error| error.number()))
}
