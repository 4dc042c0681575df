//! seccomp(2): what filters decide, who has them, who is asked.

use std::fs;

use nix::sched::CloneFlags;
use rustix::thread::set_no_new_privs;
use seccompiler::sock_filter;

use super::Experiment;
use super::child::{Child, ending, start, within};
use super::ground::{become_root, own, without_capabilities};
use super::pid::NEWPID;
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::filter::{self, Answered, install, install_with_listener, plain_call};

/// What a filter may decide: `SECCOMP_RET_*` of include/uapi/linux/seccomp.h.
const ALLOW: u32 = 0x7fff_0000;
const LOG: u32 = 0x7ffc_0000;
const TRACE: u32 = 0x7ff0_0000;
const NOTIFY: u32 = 0x7fc0_0000;
const ERRNO: u32 = 0x0005_0000;
const TRAP: u32 = 0x0003_0000;
const KILL_THREAD: u32 = 0;
const KILL_PROCESS: u32 = 0x8000_0000;
/// No decision that there is.
const UNKNOWN: u32 = 0x2000_0000;

/// `SECCOMP_FILTER_FLAG_TSYNC`
const TSYNC: libc::c_ulong = 1;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "filter",
        &["nnp", "no_right", "root"],
        "seccomp(SECCOMP_SET_MODE_FILTER) with no_new_privs, without that or CAP_SYS_ADMIN, and with CAP_SYS_ADMIN",
        right_to_filter,
    ),
    Experiment::of(
        "filter_decides",
        &["errno", "zero", "large", "kill_thread", "kill_process", "trap", "log", "unknown", "trace"],
        "getppid() under a filter that decides so",
        decides,
    ),
    Experiment::of(
        "filters_decide",
        &[
            "kill_errno",
            "errno_kill",
            "trap_errno",
            "errno_trap",
            "errno_notify",
            "notify_allow",
            "errno_log",
            "log_allow",
            "errno_errno",
        ],
        "getppid() under two filters, the first of which was installed first: which of them decides",
        both_decide,
    ),
    Experiment::of(
        "filter_inherited",
        &["fork", "exec", "unshare"],
        "getppid() under a filter in a child, after execve(), in a user namespace of its own",
        inherited,
    ),
    Experiment::of("filter_mode", &["strict_after", "filter_after"], "seccomp() to the other mode", mode),
    Experiment::of(
        "strict_mode",
        &["write", "getppid", "exit_group"],
        "a call in SECCOMP_MODE_STRICT: how the process ends",
        strict_mode,
    ),
    Experiment::of("filter_size", &["4096", "4097", "empty"], "a filter of so many instructions", size),
    Experiment::plain(
        "filter_chain",
        "filters of 4096 instructions, one after another, until one is refused",
        chain,
    ),
    Experiment::of(
        "filter_threads",
        &["one", "all", "diverging"],
        "getppid() in a second thread, after the first has installed a filter: with TSYNC, without, and with a filter of its own",
        threads,
    ),
    Experiment::of(
        "filter_asks",
        &["value", "error", "continue", "closed", "killed"],
        "getppid() under a filter that asks, and what the listener answers, or that there is none any more",
        asks,
    ),
    Experiment::of(
        "filter_asks_pid",
        &["child", "sibling"],
        "the PID of which a listener is told, who is above the caller's PID namespace or beside it",
        asks_pid,
    ),
    Experiment::plain(
        "filter_gives",
        "a descriptor that a listener gives to the caller: what is read from it",
        gives,
    ),
    Experiment::of(
        "filter_flags",
        &["unknown", "listener_twice", "listener_tsync"],
        "seccomp() with flags that do not go together",
        flags,
    ),
];

/// A program that decides so of getppid(2), and allows all else.
fn program(decision: u32) -> Vec<sock_filter> {
    let number = u32::try_from(libc::SYS_getppid).unwrap_or(u32::MAX);
    let load = |k: u32| sock_filter { code: 0x20, jt: 0, jf: 0, k };
    let give = |k: u32| sock_filter { code: 0x06, jt: 0, jf: 0, k };
    vec![load(0), sock_filter { code: 0x15, jt: 0, jf: 1, k: number }, give(decision), give(ALLOW)]
}

/// A program of so many instructions, all of which allow.
fn long_program(length: usize) -> Vec<sock_filter> {
    vec![sock_filter { code: 0x06, jt: 0, jf: 0, k: ALLOW }; length]
}

fn nnp() -> Result<(), Trouble> {
    set_no_new_privs(true).prepares("prctl(PR_SET_NO_NEW_PRIVS)")
}

fn under(decision: u32) -> Result<(), Trouble> {
    nnp()?;
    install(&program(decision), 0).map(drop).prepares("seccomp()")
}

fn right_to_filter(how: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    match how {
        "nnp" => {
            without_capabilities()?;
            nnp()?;
        }
        "no_right" => {
            control(
                within(0, || nnp().map(|()| install(&program(ALLOW), 0).is_ok()))?,
                "with no_new_privs it is taken",
            )?;
            without_capabilities()?;
        }
        _ => {}
    }
    tried(install(&program(ALLOW), 0))
}

/// What getppid(2) gave, or how whoever called it ended.
fn call_under(install: impl FnOnce() -> Result<(), Trouble>) -> Seen {
    let child = start(0, |line| {
        if let Err(trouble) = install() {
            return line.say(&Err::<String, _>(trouble));
        }
        line.say(&Ok::<_, Trouble>(told(plain_call(libc::SYS_getppid))))
    })?;
    match child.line.hear::<Result<String, Trouble>>() {
        Ok(told) => gave(told?),
        Err(_) => gave(child.end()?),
    }
}

fn told(result: Result<i64, i32>) -> String {
    match result {
        Ok(0) => "0".to_owned(),
        Ok(7) => "7".to_owned(),
        Ok(parent) if parent == i64::from(getppid_unfiltered()) => "its parent".to_owned(),
        Ok(other) => format!("{other}, which is no parent"),
        Err(number) => crate::sys::errno_name(number),
    }
}

/// By another way than the call.
fn getppid_unfiltered() -> i32 {
    super::ground::status("PPid").ok().and_then(|pid| pid.parse().ok()).unwrap_or(-1)
}

fn decides(what: &str) -> Seen {
    let decision = match what {
        "errno" => ERRNO | libc::EXDEV.unsigned_abs(),
        "zero" => ERRNO,
        "large" => ERRNO | 0xffff,
        "kill_thread" => KILL_THREAD,
        "kill_process" => KILL_PROCESS,
        "trap" => TRAP,
        "log" => LOG,
        "trace" => TRACE,
        _ => UNKNOWN,
    };
    call_under(|| under(decision))
}

fn both_decide(which: &str) -> Seen {
    let decision = |name: &str| match name {
        "kill" => KILL_PROCESS,
        "trap" => TRAP,
        "errno" => ERRNO | libc::EXDEV.unsigned_abs(),
        "notify" => NOTIFY,
        "log" => LOG,
        _ => ALLOW,
    };
    let (first, second) = which.split_once('_').unwrap_or((which, ""));
    let second = if first == second { ERRNO | libc::ENOTTY.unsigned_abs() } else { decision(second) };
    call_under(|| under(decision(first)).and_then(|()| under(second)))
}

fn inherited(how: &str) -> Seen {
    under(ERRNO | libc::EXDEV.unsigned_abs())?;
    match how {
        "exec" => {
            let text = super::ground::status_after_exec(|| Ok(()))?;
            gave(format!("filters {}", super::ground::line(&text, "Seccomp_filters")?))
        }
        "unshare" => call_under(|| own(CloneFlags::CLONE_NEWUSER)),
        _ => call_under(|| Ok(())),
    }
}

fn mode(which: &str) -> Seen {
    nnp()?;
    if which == "strict_after" {
        install(&program(ALLOW), 0).prepares("seccomp()")?;
        return tried(filter::strict());
    }
    gave(ending(|| {
        filter::strict().prepares("seccomp(STRICT)")?;
        // Not even the attempt is allowed.
        let _never = install(&program(ALLOW), 0);
        Ok(())
    })?)
}

fn strict_mode(what: &str) -> Seen {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    let end = ending(|| {
        filter::strict().prepares("seccomp(STRICT)")?;
        match what {
            "getppid" => drop(plain_call(libc::SYS_getppid)),
            "exit_group" => {}
            _ => {
                let _count = nix::unistd::write(&writer, b"!");
                filter::exit_thread();
            }
        }
        Ok(())
    })?;
    drop(writer);
    let written = nix::unistd::read(&reader, &mut [0; 8]).prepares("read()")?;
    gave(if what == "write" { format!("{end}, {written} byte written") } else { end })
}

fn size(length: &str) -> Seen {
    nnp()?;
    let length = length.parse().unwrap_or_default();
    tried(install(&long_program(length), 0))
}

fn chain(_: &str) -> Seen {
    nnp()?;
    let long = long_program(4096);
    let errno = (0..32).find_map(|_| install(&long, 0).err());
    tried(errno.map_or(Ok(()), Err))
}

fn threads(how: &str) -> Seen {
    nnp()?;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel::<Result<(), Trouble>>();
    let diverging = how == "diverging";
    let thread = std::thread::spawn(move || {
        let prepared =
            if diverging { install(&program(ALLOW), 0).map(drop).prepares("seccomp()") } else { Ok(()) };
        let _ = ready.send(prepared);
        let _ = wait.recv();
        told(plain_call(libc::SYS_getppid))
    });
    is_ready.recv().map_err(|_| Trouble::new("the thread has ended"))??;
    let flags = if how == "one" { 0 } else { TSYNC };
    let installed = install(&program(ERRNO | libc::EXDEV.unsigned_abs()), flags).prepares("seccomp()")?;
    let _ = go.send(());
    let seen = thread.join().map_err(|_| Trouble::new("the thread has panicked"))?;
    if diverging {
        return gave(if installed > 0 { "the thread's number" } else { "nothing" });
    }
    gave(seen)
}

/// A child under a filter that asks, whose listener is here; it tells what its call gave.
fn asking(flags: i32) -> Result<(Child, std::os::fd::OwnedFd), Trouble> {
    let child = start(flags, |line| {
        nnp()?;
        let listener = install_with_listener(&program(NOTIFY)).prepares("seccomp(NEW_LISTENER)")?;
        line.say(&std::os::fd::AsRawFd::as_raw_fd(&listener))?;
        // The other side has a copy of it, and only that is left.
        line.wait()?;
        drop(listener);
        line.go()?;
        line.say(&told(plain_call(libc::SYS_getppid)))
    })?;
    let number: i32 = child.line.hear()?;
    let listener = crate::sys::calls::pidfd_getfd(&child.pidfd, number).prepares("pidfd_getfd()")?;
    child.line.go()?;
    child.line.wait()?;
    Ok((child, listener))
}

fn asks(how: &str) -> Seen {
    let (child, listener) = asking(0)?;
    if how == "closed" {
        drop(listener);
        return gave(child.line.hear::<String>()?);
    }
    let asked = filter::asked(&listener).prepares("ioctl(NOTIF_RECV)")?;
    control(asked.pid == child.pid.unsigned_abs(), "it is the child that asks")?;
    if how == "killed" {
        child.kill()?;
        return tried(filter::answer(&listener, asked.id, Answered::Value(7)));
    }
    let answer = match how {
        "value" => Answered::Value(7),
        "error" => Answered::Error(libc::EXDEV),
        _ => Answered::Continue,
    };
    filter::answer(&listener, asked.id, answer).prepares("ioctl(NOTIF_SEND)")?;
    gave(child.line.hear::<String>()?)
}

fn asks_pid(who: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    let (child, listener) = asking(NEWPID)?;
    let listen = || filter::asked(&listener).prepares("ioctl(NOTIF_RECV)");
    if who == "sibling" {
        return gave(within(NEWPID, || listen().map(|asked| asked.pid.to_string()))?);
    }
    gave(if listen()?.pid == child.pid.unsigned_abs() { "its number above" } else { "another" })
}

fn gives(_: &str) -> Seen {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    nix::unistd::write(&writer, b"given").prepares("write()")?;
    let child = start(0, |line| {
        nnp()?;
        let listener = install_with_listener(&program(NOTIFY)).prepares("seccomp(NEW_LISTENER)")?;
        line.say(&std::os::fd::AsRawFd::as_raw_fd(&listener))?;
        line.wait()?;
        let number = plain_call(libc::SYS_getppid).map_err(|_| Trouble::new("getppid() failed"))?;
        line.say(
            &fs::read_link(format!("/proc/self/fd/{number}")).prepares("readlink()")?.display().to_string(),
        )
    })?;
    let number: i32 = child.line.hear()?;
    let listener = crate::sys::calls::pidfd_getfd(&child.pidfd, number).prepares("pidfd_getfd()")?;
    child.line.go()?;
    let asked = filter::asked(&listener).prepares("ioctl(NOTIF_RECV)")?;
    let there = filter::give_descriptor(&listener, asked.id, &reader).prepares("ioctl(NOTIF_ADDFD)")?;
    filter::answer(&listener, asked.id, Answered::Value(there.into())).prepares("ioctl(NOTIF_SEND)")?;
    let own = fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader)))
        .prepares("readlink()")?;
    gave(if child.line.hear::<String>()? == own.display().to_string() {
        "the same pipe"
    } else {
        "another file"
    })
}

fn flags(what: &str) -> Seen {
    nnp()?;
    control(install(&program(ALLOW), 0).is_ok(), "without flags it is taken")?;
    match what {
        "unknown" => tried(install(&program(ALLOW), 1 << 30)),
        "listener_twice" => {
            let _first = install_with_listener(&program(NOTIFY)).prepares("seccomp(NEW_LISTENER)")?;
            tried(install(&program(NOTIFY), libc::SECCOMP_FILTER_FLAG_NEW_LISTENER))
        }
        _ => tried(install(&program(NOTIFY), libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | TSYNC)),
    }
}
