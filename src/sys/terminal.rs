//! Terminals: making one, gaining it as the controlling terminal, and giving that up.
#![expect(unsafe_code, reason = "TIOCNOTTY and the disposition of SIGHUP are raw calls")]

use std::io::stdin;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{getpid, getsid, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Failure, Result};

/// Both sides of a pseudoterminal: pty(7). It lasts as long as its master is open: what has it as its controlling terminal gets SIGHUP then.
pub fn new_terminal() -> Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).map_err(|errno| failure("posix_openpt", errno))?;
    unlockpt(&master).map_err(|errno| failure("unlockpt", errno))?;
    let slave = ioctl_tiocgptpeer(&master, flags).map_err(|errno| failure("TIOCGPTPEER", errno))?;
    Ok((master, slave))
}

/// Begins a session whose controlling terminal this is: `TIOCSCTTY(2const)`.
pub fn control(terminal: BorrowedFd<'_>) -> Result<()> {
    setsid().map_err(|errno| Failure::new("setsid", &[], errno))?;
    rustix::process::ioctl_tiocsctty(terminal).map_err(|errno| failure("TIOCSCTTY", errno))
}

/// Puts the process into a session of its own that has no controlling terminal. A session's leader cannot begin another (setsid(2)), but
/// can let go of its terminal.
pub fn leave_session() -> Result<()> {
    match setsid() {
        Ok(_) => Ok(()),
        Err(Errno::EPERM) if getsid(None) == Ok(getpid()) => let_go(),
        Err(errno) => Err(Failure::new("setsid", &[], errno)),
    }
}

/// `TIOCNOTTY(2const)`: of a session's leader it takes the terminal from the whole session, and sends SIGHUP to those in the foreground,
/// among them the leader itself.
fn let_go() -> Result<()> {
    let path = "/dev/tty";
    let terminal = match nix::fcntl::open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        Ok(terminal) => terminal,
        // There is none to let go of.
        Err(Errno::ENXIO) => return Ok(()),
        Err(errno) => return Err(Failure::new("open", &[&path], errno)),
    };
    // SAFETY: SIG_IGN is a valid disposition.
    let before = unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    // SAFETY: TIOCNOTTY takes no operand.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) };
    let result = Errno::result(result).map_err(|errno| Failure::new("TIOCNOTTY", &[&path], errno));
    // SAFETY: it is the disposition that there was.
    unsafe { libc::signal(libc::SIGHUP, before) };
    result.map(drop)
}

/// What the terminal was like that is in raw mode now.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal on the standard input in raw mode: each key is handed on, Ctrl-C too (termios(3), cfmakeraw). Dropped, it is as it was.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// From now on.
    pub fn begin() -> Result<Self> {
        let before = tcgetattr(stdin()).map_err(|errno| failure("tcgetattr", errno))?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(stdin(), OptionalActions::Drain, &raw).map_err(|errno| failure("tcsetattr", errno))?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// The same for who ends the process with [`Raw`] still there.
pub fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that has gone needs nothing.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &before);
    }
}

fn failure(call: &str, errno: rustix::io::Errno) -> Failure {
    Failure::new(call, &[], Errno::from_raw(errno.raw_os_error()))
}
