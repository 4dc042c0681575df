//! PID namespaces: who is the first, whom signals reach, who ends with whom.

use nix::sched::CloneFlags;
use nix::sys::prctl::{get_child_subreaper, set_child_subreaper};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{getpgrp, getpid, getppid, getsid, setsid};

use super::child::{Child, ending, soon, start, within};
use super::ground::{become_root, own};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use super::{Experiment, ground};
use crate::sys::signals::kill;

/// The flag of clone(2) for a PID namespace.
pub(super) const NEWPID: i32 = libc::CLONE_NEWPID;

pub(super) const ALL: &[Experiment] = &[
    Experiment::plain("first_child", "clone(CLONE_NEWPID): the child's getpid() and getppid()", first_child),
    Experiment::plain(
        "first_session",
        "setsid() of the first process: its session and its group, as it counts",
        first_session,
    ),
    Experiment::plain(
        "own_proc",
        "mount(proc) by the first process of a namespace: where /proc/self leads",
        own_proc,
    ),
    Experiment::plain(
        "init_kills_itself",
        "kill(1, SIGKILL) by the first process itself: whether it lives",
        init_kills_itself,
    ),
    Experiment::of(
        "signal_to_init",
        &["SIGTERM", "SIGKILL", "SIGSTOP"],
        "that signal to the first process, which handles none, from a child of its own: whether it lives",
        signal_to_init,
    ),
    Experiment::of(
        "signal_from_above",
        &["SIGTERM", "SIGKILL"],
        "that signal to the first process from its parent namespace: how it ends",
        signal_from_above,
    ),
    Experiment::plain(
        "nested_ends_with_outer",
        "SIGKILL to the first process: how one of a namespace below ends",
        nested_ends_with_outer,
    ),
    Experiment::plain(
        "kill_outer_pid",
        "kill(PID, 0) of a process of the parent namespace by its number there",
        kill_outer_pid,
    ),
    Experiment::of(
        "signal_sender",
        &["outside", "init", "itself"],
        "the sender's PID that comes with a signal, as the receiver counts",
        signal_sender,
    ),
    Experiment::plain(
        "kill_everybody",
        "kill(-1, SIGUSR1) by the first process: how its only child ends",
        kill_everybody,
    ),
    Experiment::plain(
        "blocked_signal_to_init",
        "a signal that the first process blocks, from its own namespace: whether it stays pending and comes",
        blocked_signal_to_init,
    ),
    Experiment::plain("orphan", "an orphan in a PID namespace: its parent", orphan),
    Experiment::plain(
        "unshare_moves_children",
        "unshare(CLONE_NEWPID): the caller's PID changes; the PID of its child",
        unshare_moves_children,
    ),
    Experiment::plain(
        "fork_after_init",
        "clone() into a PID namespace whose first process has ended",
        fork_after_init,
    ),
    Experiment::plain(
        "unshare_pid_twice",
        "unshare(CLONE_NEWPID) a second time, before the first namespace has a process",
        unshare_twice,
    ),
    Experiment::of(
        "subreaper",
        &["adopts", "forked"],
        "an orphan's parent below a subreaper; whether a child of one is one",
        subreaper,
    ),
    Experiment::plain(
        "signal_io",
        "SIGIO by F_SETSIG on a pipe that a process of a sibling namespace writes to: that it comes",
        signal_io,
    ),
];

/// A user namespace of its own in which to make namespaces, so that no right is needed.
pub(super) fn grounds() -> Result<(), Trouble> {
    become_root(CloneFlags::empty())
}

fn first_child(_: &str) -> Seen {
    grounds()?;
    gave(within(NEWPID, || Ok(format!("pid {} of parent {}", getpid(), getppid())))?)
}

fn first_session(_: &str) -> Seen {
    grounds()?;
    gave(within(NEWPID, || {
        setsid().prepares("setsid()")?;
        Ok(format!("session {} group {}", getsid(None).prepares("getsid()")?, getpgrp()))
    })?)
}

fn own_proc(_: &str) -> Seen {
    ground::own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", "")?;
        let target = std::fs::read_link("p/self").prepares("readlink(self)")?;
        Ok(target.display().to_string())
    })?)
}

/// Mounts /proc as the caller's PID namespace counts, with these options.
pub(super) fn mount_proc(target: &str, options: &str) -> Result<(), Trouble> {
    use nix::mount::{MsFlags, mount};
    if !std::path::Path::new(target).is_dir() {
        ground::directory(target)?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), target, Some("proc"), flags, Some(options)).prepares("mount(proc)")
}

fn init_kills_itself(_: &str) -> Seen {
    grounds()?;
    let child = start(NEWPID, |line| {
        kill(1, libc::SIGKILL).map_err(|failure| Trouble::new(failure.to_string()))?;
        line.say(&"lives")
    })?;
    gave(child.line.hear::<String>().or_else(|_| child.end())?)
}

fn signal_to_init(name: &str) -> Seen {
    let number = signal(name)?;
    grounds()?;
    // Who is stopped does not end, and would be waited for.
    let dies = number == libc::SIGSTOP || ending(|| sends(getpid().as_raw(), number))? == name;
    control(dies, "an ordinary process lives")?;
    let child = start(NEWPID, |line| {
        within(0, || sends(1, number))?;
        line.say(&"lives")
    })?;
    gave(child.line.hear::<String>().or_else(|_| child.end())?)
}

fn signal_from_above(name: &str) -> Seen {
    let number = signal(name)?;
    grounds()?;
    let child = start(NEWPID, waits)?;
    child.line.wait()?;
    child.signal(number)?;
    if number == libc::SIGKILL { gave(child.end()?) } else { still(&child) }
}

/// That it is there, after all that was sent to it has come: a message and its answer.
fn still(child: &Child) -> Seen {
    child.line.go()?;
    gave(if child.line.wait().is_ok() { "lives" } else { "ended" })
}

fn nested_ends_with_outer(_: &str) -> Seen {
    grounds()?;
    let outer = start(NEWPID, |line| {
        let inner = start(NEWPID, |line| within(0, || waits(line)))?;
        inner.line.wait()?;
        line.go()?;
        inner.line.wait()
    })?;
    outer.line.wait()?;
    let children = children_of(outer.pid)?;
    control(children.len() == 1, "there is a process in the namespace below")?;
    let inner = crate::sys::calls::pidfd_open(children[0]).prepares("pidfd_open()")?;
    outer.kill()?;
    let gone = soon(|| crate::sys::calls::pidfd_send_signal(&inner, 0).is_err());
    gave(if gone { "ended" } else { "lives" })
}

/// `proc_tid_children(5)`
pub(super) fn children_of(pid: i32) -> Result<Vec<i32>, Trouble> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(&path).prepares(&path)?;
    Ok(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

fn kill_outer_pid(_: &str) -> Seen {
    grounds()?;
    // Behind all numbers that the new namespace has given out.
    let outer = start(0, waits)?;
    outer.line.wait()?;
    let asks = || Ok(kill(outer.pid, 0).map_err(|failure| failure.errno).err().unwrap_or(0));
    control(within(0, asks)? == 0 && outer.pid > 1, "from its own namespace the process is there")?;
    let errno = within(NEWPID, asks)?;
    tried(if errno == 0 { Ok(()) } else { Err(nix::errno::Errno::from_raw(errno)) })
}

fn signal_sender(who: &str) -> Seen {
    grounds()?;
    if who == "itself" {
        return gave(within(NEWPID, || received(|| sends(getpid().as_raw(), libc::SIGUSR1)))?);
    }
    let receiver =
        start(NEWPID, |line| if who == "init" { from_init(line) } else { receives(line, || line.go()) })?;
    if who == "outside" {
        receiver.line.wait()?;
        receiver.signal(libc::SIGUSR1)?;
    }
    gave(receiver.line.hear::<String>()?)
}

/// The first process sends to its child.
fn from_init(line: &super::child::Line) -> Result<(), Trouble> {
    let child = start(0, |inner| receives(inner, || inner.go()))?;
    child.line.wait()?;
    child.signal(libc::SIGUSR1)?;
    line.say(&child.line.hear::<String>()?)
}

fn receives(line: &super::child::Line, ready: impl FnOnce() -> Result<(), Trouble>) -> Result<(), Trouble> {
    line.say(&received(ready)?)
}

/// Whose SIGUSR1 comes after this.
fn received(ready: impl FnOnce() -> Result<(), Trouble>) -> Result<String, Trouble> {
    let wanted = blocked(Signal::SIGUSR1)?;
    let signals = SignalFd::new(&wanted).prepares("signalfd()")?;
    ready()?;
    let got = signals.read_signal().prepares("read(signalfd)")?;
    got.map(|info| info.ssi_pid.to_string()).ok_or_else(|| Trouble::new("no signal came"))
}

/// Blocks the signal.
pub(super) fn blocked(signal: Signal) -> Result<SigSet, Trouble> {
    let set = SigSet::from_iter([signal]);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).prepares("sigprocmask()")?;
    Ok(set)
}

fn kill_everybody(_: &str) -> Seen {
    grounds()?;
    gave(within(NEWPID, || {
        let child = start(0, waits)?;
        child.line.wait()?;
        sends(-1, libc::SIGUSR1)?;
        child.end()
    })?)
}

fn blocked_signal_to_init(_: &str) -> Seen {
    grounds()?;
    gave(within(NEWPID, || {
        let set = blocked(Signal::SIGUSR1)?;
        within(0, || sends(1, libc::SIGUSR1))?;
        let pending = u64::from_str_radix(&ground::status("ShdPnd")?, 16).unwrap_or_default();
        let is_pending = pending & (1 << (libc::SIGUSR1 - 1)) != 0;
        let signals = SignalFd::new(&set).prepares("signalfd()")?;
        let came = is_pending && signals.read_signal().prepares("read(signalfd)")?.is_some();
        Ok(if came { "pending, then taken" } else { "lost" }.to_owned())
    })?)
}

fn orphan(_: &str) -> Seen {
    grounds()?;
    gave(within(NEWPID, || parent_of_orphan().map(|parent| format!("parent {parent}")))?)
}

/// A grandchild whose parent ends: who is its parent then. It outlives that because it says so itself.
fn parent_of_orphan() -> Result<i32, Trouble> {
    let (ours, theirs) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    let middle = start(0, |_| {
        let child = start(0, |line| {
            nix::sys::prctl::set_pdeathsig(None).prepares("prctl()")?;
            let before = getppid();
            line.go()?;
            control(soon(|| getppid() != before), "its parent ends")?;
            nix::unistd::write(&theirs, &getppid().as_raw().to_ne_bytes()).map(drop).prepares("write()")
        })?;
        child.line.wait()
    })?;
    middle.end()?;
    drop(theirs);
    let mut parent = [0; 4];
    nix::unistd::read(&ours, &mut parent).prepares("read()")?;
    Ok(i32::from_ne_bytes(parent))
}

fn unshare_moves_children(_: &str) -> Seen {
    grounds()?;
    let before = getpid();
    own(CloneFlags::CLONE_NEWPID)?;
    let word = if getpid() == before { "stays" } else { "moves" };
    gave(format!("{word}, child {}", within(0, || Ok(getpid().as_raw()))?))
}

fn fork_after_init(_: &str) -> Seen {
    grounds()?;
    own(CloneFlags::CLONE_NEWPID)?;
    control(within(0, || Ok(getpid().as_raw()))? == 1, "the first fork() makes PID 1")?;
    let birth = crate::sys::offspring::Birth::default();
    tried(super::child::begin(&birth, |_| Ok(()))?.0)
}

fn unshare_twice(_: &str) -> Seen {
    grounds()?;
    own(CloneFlags::CLONE_NEWPID)?;
    tried(nix::sched::unshare(CloneFlags::CLONE_NEWPID))
}

fn subreaper(what: &str) -> Seen {
    set_child_subreaper(true).prepares("prctl(PR_SET_CHILD_SUBREAPER)")?;
    if what == "forked" {
        let is = within(0, || get_child_subreaper().prepares("prctl(PR_GET_CHILD_SUBREAPER)"))?;
        return gave(if is { "a subreaper" } else { "none" });
    }
    let adopted = parent_of_orphan()? == getpid().as_raw();
    gave(if adopted { "the subreaper" } else { "somebody else" })
}

fn signal_io(_: &str) -> Seen {
    grounds()?;
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    let receiver = start(NEWPID, |line| {
        let set = blocked(Signal::SIGUSR1)?;
        let signals = SignalFd::new(&set).prepares("signalfd()")?;
        crate::sys::calls::signal_when_ready(&reader, getpid().as_raw(), libc::SIGUSR1)
            .prepares("fcntl(F_SETSIG)")?;
        line.go()?;
        let info =
            signals.read_signal().prepares("read(signalfd)")?.ok_or_else(|| Trouble::new("no signal"))?;
        let same = info.ssi_fd == std::os::fd::AsRawFd::as_raw_fd(&reader);
        line.say(&format!("code {}{}", info.ssi_code, if same { " of the descriptor" } else { "" }))
    })?;
    receiver.line.wait()?;
    within(NEWPID, || nix::unistd::write(&writer, b"!").map(drop).prepares("write()"))?;
    gave(receiver.line.hear::<String>()?)
}

/// A life that only waits, and answers whoever asks.
pub(super) fn waits(line: &super::child::Line) -> Result<(), Trouble> {
    line.go()?;
    loop {
        line.wait()?;
        line.go()?;
    }
}

fn sends(pid: i32, number: i32) -> Result<(), Trouble> {
    kill(pid, number).map_err(|failure| Trouble::new(failure.to_string()))
}

fn signal(name: &str) -> Result<i32, Trouble> {
    crate::sys::signal_named(name).ok_or_else(|| Trouble::new(format!("no signal {name}")))
}
