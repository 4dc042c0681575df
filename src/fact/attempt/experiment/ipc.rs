//! System V objects and POSIX message queues, each in the IPC namespace that it was made in.

use std::fs;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};

use super::Experiment;
use super::child::{start, within};
use super::ground::{become_root, directory, namespace, own, own_scratch};
use super::pid::waits;
use super::pidfd::{failed, number};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::{calls, ipc};

/// A key as good as any, in namespaces of the experiment's own.
const KEY: i32 = 0x6169_7274;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "ipc_find",
        &["shm", "msg", "sem"],
        "the object of a key that another IPC namespace has",
        ipc_find,
    ),
    Experiment::of(
        "ipc_twice",
        &["shm", "msg", "sem"],
        "an object of the same key (IPC_EXCL) in a second IPC namespace",
        ipc_twice,
    ),
    Experiment::plain("ipc_back", "the object of a key, after setns() back to where it was made", ipc_back),
    Experiment::of(
        "queue_open",
        &["same", "other"],
        "mq_open() of a queue that was made in one's own IPC namespace, or in another",
        queue_open,
    ),
    Experiment::plain("queue_twice", "mq_open(O_EXCL) of a name that another IPC namespace has", queue_twice),
    Experiment::plain(
        "queue_file_system",
        "the names in an mqueue file system that was mounted in a new IPC namespace",
        queue_file_system,
    ),
    Experiment::plain(
        "queue_mount_outlives",
        "a file made in the mount of an mqueue file system whose IPC namespace has ended",
        queue_mount_outlives,
    ),
    Experiment::plain(
        "ipc_sysctl",
        "kernel.msgmax set in an IPC namespace: what it is there and outside",
        ipc_sysctl,
    ),
    Experiment::plain(
        "ipc_listed",
        "/proc/sysvipc/shm of a new IPC namespace, where another has a segment",
        ipc_listed,
    ),
];

fn make(kind: &str) -> nix::Result<i32> {
    match kind {
        "shm" => ipc::make_memory(KEY),
        "msg" => ipc::make_queue(KEY),
        _ => ipc::make_semaphores(KEY),
    }
}

fn find(kind: &str) -> nix::Result<i32> {
    match kind {
        "shm" => ipc::find_memory(KEY),
        "msg" => ipc::find_queue(KEY),
        _ => ipc::find_semaphores(KEY),
    }
}

fn made(kind: &str) -> Result<(), Trouble> {
    become_root(CloneFlags::CLONE_NEWIPC)?;
    make(kind).map(drop).prepares("the object")
}

fn ipc_find(kind: &str) -> Seen {
    made(kind)?;
    control(within(0, || Ok(find(kind).is_ok()))?, "in its own namespace it is found")?;
    failed(within(libc::CLONE_NEWIPC, || Ok(number(find(kind))))?)
}

fn ipc_twice(kind: &str) -> Seen {
    made(kind)?;
    control(within(0, || Ok(make(kind) == Err(Errno::EEXIST)))?, "in its own namespace the key is taken")?;
    failed(within(libc::CLONE_NEWIPC, || Ok(number(make(kind))))?)
}

fn ipc_back(_: &str) -> Seen {
    made("shm")?;
    let back = namespace("self", "ipc")?;
    own(CloneFlags::CLONE_NEWIPC)?;
    control(find("shm") == Err(Errno::ENOENT), "in another it is not found")?;
    setns(&back, CloneFlags::CLONE_NEWIPC).prepares("setns(ipc)")?;
    tried(find("shm"))
}

fn queue() -> Result<(), Trouble> {
    become_root(CloneFlags::CLONE_NEWIPC)?;
    calls::open_queue("/airtight", true).map(drop).prepares("mq_open()")
}

fn queue_open(place: &str) -> Seen {
    queue()?;
    let flags = if place == "same" { 0 } else { libc::CLONE_NEWIPC };
    failed(within(flags, || Ok(number(calls::open_queue("/airtight", false))))?)
}

fn queue_twice(_: &str) -> Seen {
    queue()?;
    let again = || Ok(number(calls::open_queue("/airtight", true)));
    control(within(0, again)? == Errno::EEXIST as i32, "in its own namespace the name is taken")?;
    failed(within(libc::CLONE_NEWIPC, again)?)
}

fn mount_queues() -> Result<(), Trouble> {
    directory("q")?;
    mount(Some("mqueue"), "q", Some("mqueue"), MsFlags::empty(), None::<&str>).prepares("mount(mqueue)")
}

fn queue_file_system(_: &str) -> Seen {
    own_scratch()?;
    own(CloneFlags::CLONE_NEWIPC)?;
    calls::open_queue("/outside", true).prepares("mq_open()")?;
    gave(within(libc::CLONE_NEWIPC | libc::CLONE_NEWNS, || {
        calls::open_queue("/inside", true).prepares("mq_open()")?;
        mount_queues()?;
        let names = fs::read_dir("q").prepares("readdir(q)")?;
        let names: Vec<_> =
            names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        Ok(names.join(" "))
    })?)
}

fn queue_mount_outlives(_: &str) -> Seen {
    own_scratch()?;
    let child = start(libc::CLONE_NEWIPC, |line| {
        mount_queues()?;
        waits(line)
    })?;
    child.line.wait()?;
    control(fs::write("q/before", "").is_ok(), "while the namespace lives a queue can be made by its mount")?;
    child.kill()?;
    tried(fs::write("q/after", ""))
}

fn ipc_sysctl(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWIPC)?;
    let read = || fs::read_to_string("/proc/sys/kernel/msgmax").prepares("read(kernel.msgmax)");
    let before = read()?;
    let inside = within(libc::CLONE_NEWIPC, || {
        fs::write("/proc/sys/kernel/msgmax", "4711").prepares("write(kernel.msgmax)")?;
        read()
    })?;
    let word = if read()? == before { "as it was" } else { "changed" };
    gave(format!("{} inside, {word} outside", inside.trim()))
}

fn ipc_listed(_: &str) -> Seen {
    made("shm")?;
    let listed = || {
        let text = fs::read_to_string("/proc/sysvipc/shm").prepares("read(/proc/sysvipc/shm)")?;
        Ok::<_, Trouble>(text.lines().count() - 1)
    };
    control(listed()? == 1, "its own namespace lists it")?;
    gave(format!("{} segments", within(libc::CLONE_NEWIPC, listed)?))
}
