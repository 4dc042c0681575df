//! Processes for experiments: made with whatever clone3(2) can say, and never left behind.
#![expect(unsafe_code, reason = "process creation is a raw call")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2, setpgid};

use super::clone::CloneArgs;
use super::pipe::{pause, read_before, wait, write_before};
use super::process::{default_signals, or_exit, unblock_signals};
use super::{exit_now, signals};

/// How a process is to be made: the operands of clone3(2).
#[derive(Debug, Default, Clone, Copy)]
pub struct Birth<'a> {
    /// `CLONE_*`; a pidfd is asked for in any case.
    pub flags: u64,
    /// The PIDs to have, from the innermost PID namespace outwards.
    pub set_tid: &'a [i32],
    /// The cgroup to begin in.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// A new process.
#[derive(Debug)]
pub struct Newborn {
    /// Its PID as its maker counts.
    pub pid: i32,
    /// Its pidfd, close-on-exec.
    pub pidfd: OwnedFd,
}

/// Makes a process that lives this life and ends; it is killed when its maker ends before (`PR_SET_PDEATHSIG`).
///
/// The caller must have a single thread, and no flag may be one with which memory is shared.
pub fn bear(birth: &Birth<'_>, life: impl FnOnce()) -> nix::Result<Newborn> {
    let mut pidfd: RawFd = -1;
    match make(birth, &mut pidfd) {
        0 => or_exit(|| {
            let _ = set_pdeathsig(Signal::SIGKILL);
            life();
            exit_now(0)
        }),
        pid => {
            let pid = Errno::result(pid)?;
            // SAFETY: the kernel has just stored a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Newborn { pid: i32::try_from(pid).unwrap_or(i32::MAX), pidfd })
        }
    }
}

/// By clone(2) where that can say it: seccomp filters answer clone3(2) with ENOSYS, because they cannot look at its flags.
fn make(birth: &Birth<'_>, pidfd: &mut RawFd) -> libc::c_long {
    let flags = birth.flags | libc::CLONE_PIDFD as u64;
    // The lowest byte of clone(2)'s flags is the signal, and there are 32 bits.
    if birth.set_tid.is_empty()
        && birth.cgroup.is_none()
        && birth.flags.trailing_zeros() >= 8
        && flags >> 32 == 0
    {
        let flags = flags | libc::SIGCHLD as u64;
        // SAFETY: the pidfd's place outlives the call, and without CLONE_VM and a stack the child goes on with a copy of this one.
        return unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, pidfd, 0_usize, 0_usize) };
    }
    let mut args = CloneArgs {
        flags,
        pidfd: std::ptr::from_mut(pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        set_tid: if birth.set_tid.is_empty() { 0 } else { birth.set_tid.as_ptr() as u64 },
        set_tid_size: birth.set_tid.len() as u64,
        cgroup: birth.cgroup.map_or(0, |fd| u64::from(fd.as_raw_fd().unsigned_abs())),
        ..CloneArgs::default()
    };
    // SAFETY: `args` and what it points to outlive the call, and without CLONE_VM the child goes on with a copy of this stack.
    unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) }
}

/// clone3(2) with a structure of this many bytes, the first 64 of which ask for a plain child and the others are `filler`; and what came of
/// it. The child ends at once.
pub fn clone3_of_size(size: usize, filler: u8, flags: u64, exit_signal: u64) -> nix::Result<()> {
    let mut bytes = vec![filler; size.max(64)];
    bytes[..64].fill(0);
    bytes[..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[32..40].copy_from_slice(&exit_signal.to_ne_bytes());
    // SAFETY: the structure has no fewer bytes than are told, and asks for no shared memory.
    match unsafe { libc::syscall(libc::SYS_clone3, bytes.as_mut_ptr(), size) } {
        0 => exit_now(0),
        pid => {
            let pid = Errno::result(pid)?;
            let _ended =
                waitpid(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)), Some(WaitPidFlag::__WALL));
            Ok(())
        }
    }
}

/// What a child of this process finds, within this time; `None` if it ends or tarries without an answer. Whatever it has made is gone
/// when this returns: it lives under a subreaper, which kills what is left.
///
/// The caller must have a single thread.
pub fn supervised(limit: Duration, act: impl FnOnce() -> Vec<u8>) -> nix::Result<Option<Vec<u8>>> {
    let (answer, tell) = pipe2(OFlag::O_CLOEXEC)?;
    let deadline = Instant::now() + limit;
    let supervisor = bear(&Birth::default(), || supervise(&tell, deadline, act))?;
    drop(tell);
    let patience = deadline + Duration::from_secs(3);
    let told = hear(&answer, patience);
    if told.is_none() || !wait(supervisor.pidfd.as_fd(), PollFlags::POLLIN, patience).unwrap_or(false) {
        let _killed = signals::kill(supervisor.pid, libc::SIGKILL);
    }
    // As the first process of a PID namespace the caller reaps all its children in a signal handler: ECHILD.
    let _reaped = waitpid(Pid::from_raw(supervisor.pid), None);
    Ok(told.filter(|told| !told.is_empty()))
}

fn supervise(tell: &OwnedFd, deadline: Instant, act: impl FnOnce() -> Vec<u8>) {
    default_signals();
    unblock_signals();
    let told = set_child_subreaper(true).and_then(|()| observed(deadline, act)).unwrap_or_default();
    say(tell, &told);
}

fn observed(deadline: Instant, act: impl FnOnce() -> Vec<u8>) -> nix::Result<Vec<u8>> {
    let (answer, tell) = pipe2(OFlag::O_CLOEXEC)?;
    let child = bear(&Birth::default(), || {
        let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
        say(&tell, &act());
    })?;
    drop(tell);
    let told = hear(&answer, deadline).unwrap_or_default();
    let _killed = signals::kill(child.pid, libc::SIGKILL);
    let _group = killpg(Pid::from_raw(child.pid), Signal::SIGKILL);
    clear();
    Ok(told)
}

/// Waits until this process has no descendants any more. Each dies with its parent; what has made itself an exception is killed.
fn clear() {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::StillAlive) if Instant::now() < deadline => {
                kill_children();
                pause(Duration::from_millis(1));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
            _ => {}
        }
    }
}

fn kill_children() {
    // proc_tid_children(5): what is not there cannot be killed by it, and dies by its parent's death.
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    for pid in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
        let _killed = signals::kill(pid, libc::SIGKILL);
    }
}

/// The longest message: far less than a pipe holds, so that nobody who tells waits for who listens.
const LONGEST: usize = 16 << 10;

/// Its length, then the message.
fn say(tell: &OwnedFd, message: &[u8]) {
    let message = &message[..message.len().min(LONGEST)];
    let length = u32::try_from(message.len()).unwrap_or(0).to_ne_bytes();
    let whole = [&length, message].concat();
    // If the pipe is broken nobody listens any more.
    let _ = write_before(tell, &whole, Instant::now() + Duration::from_secs(1));
}

fn hear(answer: &OwnedFd, deadline: Instant) -> Option<Vec<u8>> {
    let mut heard = Vec::new();
    loop {
        if let Some((length, message)) = heard.split_first_chunk::<4>()
            && message.len() >= u32::from_ne_bytes(*length) as usize
        {
            return Some(message.to_vec());
        }
        match read_before(answer, &mut heard, deadline) {
            Ok(Some(count)) if count > 0 => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Tests have threads, and a child of theirs must do nothing but system calls: what is built on this is tried by the integration tests.
    #[test]
    fn a_message_is_heard_whole_or_not_at_all() {
        let check = |message: &[u8], heard: Option<&[u8]>| {
            let (answer, tell) = pipe2(OFlag::O_CLOEXEC).unwrap();
            let _count = nix::unistd::write(&tell, message).unwrap();
            drop(tell);
            let soon = Instant::now() + Duration::from_secs(1);
            assert_eq!(hear(&answer, soon).as_deref(), heard, "{message:?}");
        };
        check(&[0, 0, 0, 0], Some(b""));
        check(&[&2_u32.to_ne_bytes()[..], b"ab"].concat(), Some(b"ab"));
        check(&[&3_u32.to_ne_bytes()[..], b"ab"].concat(), None);
        check(&[1], None);
    }
}
