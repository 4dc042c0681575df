//! Signals: their dispositions in the agent, and sending them.
#![expect(unsafe_code, reason = "sigaction(2) installs a function that runs at any time")]

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{Failure, Result};

/// Gives SIGPIPE its default action: Rust's runtime ignores it, and an ignored signal stays ignored over execve(2).
pub fn default_sigpipe() -> Result<()> {
    set(Signal::SIGPIPE, SigHandler::SigDfl, SaFlags::empty()).map(drop)
}

/// Reaps every child as it dies. A handler rather than an ignored SIGCHLD: that would be inherited over execve(2), while a
/// handler is not; and rather than a signalfd or a blocked signal: those would show among the process's descriptors and
/// be inherited by its children. A handler for SIGCHLD does not make the first process of a PID namespace any easier to kill.
pub fn reap_orphans() -> Result<()> {
    set(Signal::SIGCHLD, SigHandler::Handler(reap), SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP)?;
    // Children of the program that this one replaced may have died before.
    reap(libc::SIGCHLD);
    Ok(())
}

/// Ignores a signal, or has it handled by a function that does nothing.
pub fn set_aside(signal: i32, ignored: bool) -> nix::Result<()> {
    let handler = if ignored { SigHandler::SigIgn } else { SigHandler::Handler(nothing) };
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::try_from(signal)?, &action) }.map(drop)
}

extern "C" fn nothing(_: libc::c_int) {}

/// What a signal does: `default`, `ignored` or `handled`.
pub fn disposition(signal: i32) -> nix::Result<&'static str> {
    // SAFETY: all zeroes is a valid `struct sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `struct sigaction` and changes nothing, since it is given none.
    Errno::result(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) })?;
    Ok(match action.sa_sigaction {
        libc::SIG_DFL => "default",
        libc::SIG_IGN => "ignored",
        _ => "handled",
    })
}

/// kill(2). `signal` 0 only asks whether it would be permitted.
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: kill takes two integers and touches no memory of this process.
    let result = unsafe { libc::kill(pid, signal) };
    Errno::result(result).map(drop).map_err(|errno| Failure::new("kill", &[&pid, &signal], errno))
}

/// A descriptor on which a byte can be read once SIGINT, SIGTERM or SIGHUP has come; one that is ignored, as nohup(1) and a
/// shell's background have it, stays ignored. A handler rather than a blocked signal:
/// programs that are executed inherit what is blocked, and Ctrl-C would no longer end them.
pub fn termination() -> Result<OwnedFd> {
    let (read, write) =
        nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| Failure::new("pipe2", &[], errno))?;
    // It is never closed: the handler may run until the process ends.
    TOLD.store(write.into_raw_fd(), Ordering::Relaxed);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let before = set(signal, SigHandler::Handler(tell), SaFlags::SA_RESTART)?;
        if matches!(before, SigHandler::SigIgn) {
            set(signal, before, SaFlags::empty())?;
        }
    }
    Ok(read)
}

static TOLD: AtomicI32 = AtomicI32::new(-1);

/// Async-signal-safe: only write(2), and errno kept for the code that was interrupted (signal-safety(7)).
extern "C" fn tell(_: libc::c_int) {
    let errno = Errno::last();
    // SAFETY: one byte of a static string is written to a descriptor that stays open.
    unsafe { libc::write(TOLD.load(Ordering::Relaxed), c"!".as_ptr().cast(), 1) };
    errno.set();
}

/// Gives the handler that there was before.
fn set(signal: Signal, handler: SigHandler, flags: SaFlags) -> Result<SigHandler> {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handlers set here are none, or `reap` and `tell`, which are async-signal-safe.
    let result = unsafe { sigaction(signal, &action) };
    result.map(|before| before.handler()).map_err(|errno| Failure::new("sigaction", &[&signal], errno))
}

/// Async-signal-safe: only waitpid(2), and errno kept for the code that was interrupted (signal-safety(7)).
extern "C" fn reap(_: libc::c_int) {
    let errno = Errno::last();
    loop {
        // SAFETY: a null status is allowed (wait(2)), and WNOHANG returns at once.
        let pid = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
        if pid <= 0 {
            break;
        }
    }
    errno.set();
}
