//! The calling process: its descriptors, its signals, its end.
#![expect(unsafe_code, reason = "descriptor numbers, signal dispositions and _exit are raw calls")]

use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

use super::{Failure, Result};

/// Makes these the only descriptors of the process, numbered from 0 in this order, and gives those from 3 on, which are
/// close-on-exec: a cloned child holds all of the nursery's, which the sandbox must not see.
pub fn lay_out(kept: &[RawFd]) -> Result<Vec<OwnedFd>> {
    let count = RawFd::try_from(kept.len()).unwrap_or(RawFd::MAX);
    // Above the numbers they are to have, so that none is overwritten before it has been moved; but not far above, since
    // RLIMIT_NOFILE may be low.
    let aside: Vec<OwnedFd> = kept.iter().map(|fd| duplicate_above(*fd, count)).collect::<Result<_>>()?;
    for (number, fd) in (0..).zip(&aside) {
        place(fd.as_raw_fd(), number)?;
    }
    // They are closed with everything else, by number.
    for fd in aside {
        let _ = fd.into_raw_fd();
    }
    close_range(count, RawFd::MAX)?;
    // SAFETY: these numbers have just been given to descriptors that nobody else owns.
    Ok((3..count).map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect())
}

/// Has the command's process end when the thread that starts it does (`PR_SET_PDEATHSIG`): for one that the thread waits for.
pub fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let ask = move || {
        let set = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
        // It may have ended before it could be asked for.
        if std::os::unix::process::parent_id() != parent {
            exit_now(125);
        }
        set.map_err(std::io::Error::from)
    };
    // SAFETY: prctl, getppid and _exit are async-signal-safe, and nothing is allocated.
    unsafe { command.pre_exec(ask) };
}

/// Gives the command's process a mount namespace of its own, if it may have one: what it mounts goes with it.
pub fn mount_apart(command: &mut Command) {
    let part = || {
        if unshare(CloneFlags::CLONE_NEWNS).is_ok() {
            let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?;
        }
        Ok(())
    };
    // SAFETY: unshare and mount are plain system calls, and these paths are short enough not to be allocated.
    unsafe { command.pre_exec(part) };
}

/// Closes all but the standard streams and this descriptor.
pub fn keep_only(kept: &OwnedFd) -> Result<()> {
    let number = kept.as_raw_fd();
    close_range(number + 1, RawFd::MAX)?;
    if number > 3 { close_range(3, number - 1) } else { Ok(()) }
}

/// Makes these three the standard streams, in the place of those that there are.
pub fn take_streams(received: &[OwnedFd]) -> Result<()> {
    (0..).zip(received.iter().take(3)).try_for_each(|(number, fd)| place(fd.as_raw_fd(), number))
}

fn duplicate_above(fd: RawFd, least: RawFd) -> Result<OwnedFd> {
    // SAFETY: fcntl(F_DUPFD_CLOEXEC) takes plain numbers.
    let number = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) };
    if number < 0 {
        return Err(Failure::new("fcntl", &[&fd, &"F_DUPFD_CLOEXEC"], Errno::last()));
    }
    // SAFETY: the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Puts a descriptor at a number; the standard streams survive execve(2), the others do not.
fn place(from: RawFd, to: RawFd) -> Result<()> {
    let flags = if to < 3 { 0 } else { libc::O_CLOEXEC };
    // SAFETY: dup3(2) takes plain numbers; whatever was at `to` is closed, which is what laying out anew means.
    let result = unsafe { libc::dup3(from, to, flags) };
    if result == to { Ok(()) } else { Err(Failure::new("dup3", &[&from, &to], Errno::last())) }
}

fn close_range(first: RawFd, last: RawFd) -> Result<()> {
    // SAFETY: the caller keeps nothing between these.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 { Ok(()) } else { Err(Failure::new("close_range", &[&first, &last], Errno::last())) }
}

/// Gives every signal its default action: a launcher's ignored signals are inherited across clone and execve(2), and would be
/// the sandbox's. By the raw call: the C library keeps 32 and 33 for its threads and lets nobody change them, but its `posix_spawn(3)`
/// leaves them ignored.
pub fn default_signals() {
    // The kernel's own `struct sigaction`: SIG_DFL is 0, and there are no flags and no mask.
    let action = [0_u64; 4];
    let size = size_of::<u64>();
    for number in 1..=64 {
        let none = std::ptr::null_mut::<u64>();
        // SAFETY: the kernel reads the action, which is no shorter than its struct, and writes nothing; for SIGKILL and SIGSTOP the call
        // fails and changes nothing.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, action.as_ptr(), none, size) };
    }
}

/// Ignores a signal, which what this process makes and executes will do as well: signal(7).
pub fn ignore(signal: Signal) {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(signal as libc::c_int, libc::SIG_IGN) };
}

/// Blocks no signal: the nursery, which hears its own by descriptor, blocks some.
pub fn unblock_signals() {
    // It cannot fail: the arguments are valid.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Goes on with `life`, and ends the process should that panic: a cloned child must not unwind into its copy of the parent's stack.
pub fn or_exit(life: impl FnOnce() -> std::convert::Infallible) -> ! {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(life));
    exit_now(PANICKED)
}

/// The exit status of a program that panics, as Rust's runtime has it.
const PANICKED: i32 = 101;

/// Ends the process at once (_exit(2)): a cloned child must not run the destructors and exit handlers it has a copy of.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(status) }
}
