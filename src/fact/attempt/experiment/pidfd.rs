//! Descriptors of processes, and what they say, do and lead to; clone3(2), `close_range(2)` and kcmp(2).

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{gethostname, getpid, sethostname};

use super::Experiment;
use super::child::{begin, start, within};
use super::ground::{self, inode, namespace, own_scratch, without_capabilities};
use super::pid::{NEWPID, grounds, mount_proc, waits};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::calls::{self, Common, kcmp, pidfd_getfd, pidfd_open, pidfd_send_signal};
use crate::sys::offspring::{Birth, clone3_of_size};
use crate::sys::signals;

/// `CLONE_CLEAR_SIGHAND`, Linux 5.5.
const CLEAR_SIGHAND: u64 = 1 << 32;

pub(super) const ALL: &[Experiment] = &[
    Experiment::plain(
        "pidfd_of_the_dead",
        "pidfd_send_signal() after the process was waited for",
        pidfd_of_the_dead,
    ),
    Experiment::plain(
        "pidfd_open_nobody",
        "pidfd_open() of a PID of the parent namespace",
        pidfd_open_nobody,
    ),
    Experiment::plain(
        "pidfd_of_outer",
        "SIGTERM through a pidfd that came from the parent namespace: to whom that belongs",
        pidfd_of_outer,
    ),
    Experiment::plain(
        "pidfd_readable_at_end",
        "poll() of a pidfd after its process has ended",
        pidfd_readable,
    ),
    Experiment::plain("pidfd_wait", "waitid(P_PIDFD): the status", pidfd_wait),
    Experiment::of(
        "pidfd_info",
        &["inside", "outside", "dead"],
        "Pid of /proc/self/fdinfo/FD of a pidfd",
        pidfd_info,
    ),
    Experiment::of(
        "pidfd_getfd",
        &["own", "unprivileged", "closed", "dead"],
        "pidfd_getfd() of a descriptor of a child",
        getfd,
    ),
    Experiment::plain(
        "pidfd_getfd_same",
        "kcmp() of a descriptor and what pidfd_getfd() gave of it",
        getfd_same,
    ),
    Experiment::of(
        "setns_pidfd",
        &["both", "unknown", "none", "dead", "unprivileged"],
        "setns() through a pidfd, into the UTS and the IPC namespace of a child",
        setns_pidfd,
    ),
    Experiment::plain(
        "setns_pidfd_whole",
        "setns() through a pidfd into two namespaces, the second of which is refused: whether the first is entered",
        setns_whole,
    ),
    Experiment::of(
        "clone3_size",
        &["smaller", "same", "larger_zero", "larger"],
        "clone3() with a structure of another size than the kernel's",
        clone3_size,
    ),
    Experiment::of(
        "clone3_flags",
        &["csignal", "detached", "thread_alone", "bad_signal", "userns_fs"],
        "clone3() with flags that do not go together",
        clone3_flags,
    ),
    Experiment::of(
        "clear_sighand",
        &["handler", "ignored", "plain"],
        "the disposition of a signal in a child of clone3(CLONE_CLEAR_SIGHAND), or without it",
        clear_sighand,
    ),
    Experiment::of(
        "close_range",
        &["cloexec", "unknown", "backwards"],
        "close_range() with a flag: FD_CLOEXEC of the descriptors after",
        close_range,
    ),
    Experiment::of(
        "kcmp",
        &["file", "other_file", "files", "memory", "unprivileged"],
        "kcmp() of a process and its child",
        compare,
    ),
    Experiment::plain(
        "fd_of_proc",
        "open(/proc/PID/fd/N) of a child's pipe: whether it is the same pipe",
        fd_of_proc,
    ),
];

fn pidfd_of_the_dead(_: &str) -> Seen {
    let child = start(0, waits)?;
    control(pidfd_send_signal(&child.pidfd, 0).is_ok(), "the living can be signalled")?;
    child.kill()?;
    tried(pidfd_send_signal(&child.pidfd, 0))
}

fn pidfd_open_nobody(_: &str) -> Seen {
    grounds()?;
    let child = start(0, waits)?;
    control(pidfd_open(child.pid).is_ok(), "from its own namespace it can be opened")?;
    failed(within(NEWPID, || Ok(number(pidfd_open(child.pid))))?)
}

fn pidfd_of_outer(_: &str) -> Seen {
    grounds()?;
    let child = start(0, waits)?;
    failed(within(NEWPID, || Ok(number(pidfd_send_signal(&child.pidfd, libc::SIGTERM))))?)
}

fn pidfd_readable(_: &str) -> Seen {
    let child = start(0, waits)?;
    control(
        !crate::sys::pipe::wait(child.pidfd.as_fd(), nix::poll::PollFlags::POLLIN, std::time::Instant::now())
            .unwrap_or(true),
        "of the living it is not readable",
    )?;
    child.signal(libc::SIGKILL)?;
    gave(if child.ends() { "readable" } else { "not readable" })
}

fn pidfd_wait(_: &str) -> Seen {
    let child = start(0, waits)?;
    child.signal(libc::SIGTERM)?;
    match waitid(Id::PIDFd(child.pidfd.as_fd()), WaitPidFlag::WEXITED).prepares("waitid(P_PIDFD)")? {
        WaitStatus::Signaled(pid, signal, _) if pid.as_raw() == child.pid => gave(signal.as_str()),
        other => gave(format!("{other:?}")),
    }
}

fn pidfd_info(from: &str) -> Seen {
    own_scratch()?;
    let child = start(NEWPID, waits)?;
    child.line.wait()?;
    let own = child.pid;
    let shown = |directory: &str| -> Result<String, Trouble> {
        let path = format!("{directory}/self/fdinfo/{}", child.pidfd.as_raw_fd());
        ground::line(&fs::read_to_string(&path).prepares(&path)?, "Pid")
    };
    let word = |pid: String| if pid == own.to_string() { "its PID here".to_owned() } else { pid };
    match from {
        "outside" => gave(word(shown("/proc")?)),
        "dead" => {
            child.kill()?;
            gave(shown("/proc")?)
        }
        // As a namespace counts in which it has no number.
        _ => gave(within(NEWPID, || {
            mount_proc("p", "")?;
            shown("p")
        })?),
    }
}

fn getfd(what: &str) -> Seen {
    grounds()?;
    let child = start(0, waits)?;
    child.line.wait()?;
    control(pidfd_getfd(&child.pidfd, 0).is_ok(), "a descriptor of one's own child can be had")?;
    match what {
        "unprivileged" => return failed(unprivileged(|| number(pidfd_getfd(&child.pidfd, 0)))?),
        "dead" => child.kill()?,
        _ => {}
    }
    tried(pidfd_getfd(&child.pidfd, if what == "closed" { 1000 } else { 0 }))
}

fn getfd_same(_: &str) -> Seen {
    let (ours, _theirs) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    let child = start(0, waits)?;
    child.line.wait()?;
    let got = pidfd_getfd(&child.pidfd, ours.as_raw_fd()).prepares("pidfd_getfd()")?;
    let own = getpid().as_raw();
    let same = kcmp(own, own, Common::File(ours.as_raw_fd(), got.as_raw_fd())).prepares("kcmp()")?;
    gave(if same { "the same file" } else { "another" })
}

fn setns_pidfd(what: &str) -> Seen {
    grounds()?;
    let child = start(libc::CLONE_NEWUTS | libc::CLONE_NEWIPC, waits)?;
    child.line.wait()?;
    let both = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    if what != "both" {
        control(within(0, || Ok(setns(&child.pidfd, both).is_ok()))?, "both can be entered")?;
    }
    match what {
        "unknown" => tried(calls::setns_number(child.pidfd.as_raw_fd(), libc::CLONE_VM)),
        "none" => tried(calls::setns_number(child.pidfd.as_raw_fd(), 0)),
        "dead" => {
            child.kill()?;
            tried(setns(&child.pidfd, both))
        }
        "unprivileged" => {
            without_capabilities()?;
            tried(setns(&child.pidfd, both))
        }
        _ => {
            setns(&child.pidfd, both).prepares("setns(pidfd)")?;
            let pid = child.pid.to_string();
            let entered = |kind| Ok(inode(&namespace("self", kind)?)? == inode(&namespace(&pid, kind)?)?);
            let all = [entered("uts")?, entered("ipc")?];
            gave(if all == [true, true] { "both" } else { "not both" })
        }
    }
}

fn setns_whole(_: &str) -> Seen {
    grounds()?;
    let child = start(libc::CLONE_NEWUTS, |line| {
        sethostname("theirs").prepares("sethostname()")?;
        waits(line)
    })?;
    child.line.wait()?;
    // One's own user namespace cannot be entered again: EINVAL.
    let two = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWUSER;
    control(setns(&child.pidfd, two) == Err(Errno::EINVAL), "the second is refused")?;
    let name = gethostname().prepares("gethostname()")?;
    gave(if name == "theirs" { "entered" } else { "not entered" })
}

fn clone3_size(what: &str) -> Seen {
    let signal = libc::SIGCHLD as u64;
    match what {
        "smaller" => tried(clone3_of_size(63, 0, 0, signal)),
        "same" => tried(clone3_of_size(64, 0, 0, signal)),
        "larger_zero" => tried(clone3_of_size(4000, 0, 0, signal)),
        _ => {
            control(clone3_of_size(200, 0, 0, signal).is_ok(), "with zeroes it is taken")?;
            tried(clone3_of_size(200, 1, 0, signal))
        }
    }
}

fn clone3_flags(what: &str) -> Seen {
    let signal = libc::SIGCHLD as u64;
    control(clone3_of_size(64, 0, 0, signal).is_ok(), "a plain child can be made")?;
    let (flags, signal) = match what {
        "csignal" => (signal, 0),
        "detached" => (libc::CLONE_DETACHED as u64, signal),
        // Without shared signal handlers there is no thread, and nothing is made.
        "thread_alone" => (libc::CLONE_THREAD as u64, 0),
        "bad_signal" => (0, 65),
        _ => ((libc::CLONE_NEWUSER | libc::CLONE_FS) as u64, signal),
    };
    tried(clone3_of_size(64, 0, flags, signal))
}

fn clear_sighand(what: &str) -> Seen {
    signals::set_aside(libc::SIGUSR1, what == "ignored").prepares("sigaction()")?;
    let flags = if what == "plain" { 0 } else { CLEAR_SIGHAND };
    let birth = Birth { flags, ..Birth::default() };
    let (born, line) =
        begin(&birth, |line| line.say(&signals::disposition(libc::SIGUSR1).prepares("sigaction()")?))?;
    born.prepares("clone3(CLONE_CLEAR_SIGHAND)")?;
    gave(line.hear::<String>()?)
}

fn close_range(what: &str) -> Seen {
    const CLOEXEC: u32 = 4;
    let file: OwnedFd = fs::File::open("/dev/null").prepares("open(/dev/null)")?.into();
    let plain = rustix::io::fcntl_dupfd_cloexec(&file, 100).prepares("dup()")?;
    rustix::io::fcntl_setfd(&plain, rustix::io::FdFlags::empty()).prepares("fcntl(F_SETFD)")?;
    match what {
        "unknown" => tried(calls::close_range_flagged(100, 1 << 30)),
        "backwards" => tried(calls::close_range_backwards()),
        _ => {
            calls::close_range_flagged(100, CLOEXEC).prepares("close_range(CLOEXEC)")?;
            let flags = rustix::io::fcntl_getfd(&plain).prepares("fcntl(F_GETFD)")?;
            gave(if flags.contains(rustix::io::FdFlags::CLOEXEC) { "close-on-exec" } else { "plain" })
        }
    }
}

fn compare(what: &str) -> Seen {
    grounds()?;
    let other = fs::File::open("/dev/null").prepares("open(/dev/null)")?;
    let child = start(0, waits)?;
    child.line.wait()?;
    let own = getpid().as_raw();
    let common = match what {
        "other_file" => Common::File(child.line.as_fd().as_raw_fd(), other.as_raw_fd()),
        "files" => Common::Files,
        "memory" => Common::Memory,
        _ => Common::File(0, 0),
    };
    if what == "unprivileged" {
        control(kcmp(own, child.pid, common).is_ok(), "with the right it is told")?;
        return failed(unprivileged(|| number(kcmp(child.pid, getpid().as_raw(), common)))?);
    }
    match kcmp(own, child.pid, common) {
        Ok(same) => gave(if same { "the same" } else { "another" }),
        Err(errno) => tried::<()>(Err(errno)),
    }
}

/// What this is in a user namespace of its own, which has no right over the processes above it (ptrace(2), access mode checking).
fn unprivileged(act: impl FnOnce() -> i32) -> Result<i32, Trouble> {
    within(libc::CLONE_NEWUSER, || Ok(act()))
}

fn fd_of_proc(_: &str) -> Seen {
    let (ours, _theirs) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).prepares("pipe2()")?;
    let child = start(0, waits)?;
    child.line.wait()?;
    let path = format!("/proc/{}/fd/{}", child.pid, ours.as_raw_fd());
    let opened = fs::File::open(&path).prepares(&path)?;
    gave(if inode(&opened)? == inode(&ours)? { "the same pipe" } else { "another" })
}

/// The errno of a call that was made in a child; 0 if it succeeded.
pub(super) fn number<T>(result: nix::Result<T>) -> i32 {
    result.err().map_or(0, |errno| errno as i32)
}

/// The outcome of a call that was made in a child.
pub(super) fn failed(number: i32) -> Seen {
    tried(if number == 0 { Ok(()) } else { Err(Errno::from_raw(number)) })
}
