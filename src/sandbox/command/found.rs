//! Finding the agent's process from the host, by the token on its command line.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::sys::signal::Signal;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::sandbox::runtime::StartError;
use crate::sandbox::vouch::{Brought, vouch};
use crate::sys::{Failure, Result as SysResult};

/// A process that was found.
#[derive(Debug)]
pub(in crate::sandbox) struct Found {
    /// Its PID on the host.
    pub(in crate::sandbox) pid: i32,
    pidfd: OwnedFd,
}

impl Found {
    /// Signals it. One that has ended has lost the signal, as a signal always may be.
    pub(in crate::sandbox) fn signal(&self, signal: Signal) -> SysResult<()> {
        let Some(number) = rustix::process::Signal::from_named_raw(signal as i32) else { return Ok(()) };
        match pidfd_send_signal(&self.pidfd, number) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(Failure::from_io("pidfd_send_signal", &[&self.pid, &signal], &errno.into())),
        }
    }
}

/// The host's PID of the process whose command line carries the token, vouched for: it runs this program, or what was brought of it,
/// and has the PID that the agent reported.
pub(super) fn agent(
    token: &str,
    reported: i32,
    brought: Option<&Brought>,
    deadline: Instant,
) -> Result<Found, StartError> {
    loop {
        if let Some(found) = processes().find_map(|pid| find(pid, token)) {
            let vouched = vouch(found.pid, found.pidfd.as_fd(), reported, brought);
            return vouched.map(|()| found).map_err(StartError::NotFound);
        }
        if Instant::now() >= deadline {
            return Err(StartError::NotFound("no process carries its token".to_owned()));
        }
        std::thread::yield_now();
    }
}

/// A process that carries the token before and after its pidfd was opened: the PID did not come to mean another in between.
fn find(pid: i32, token: &str) -> Option<Found> {
    let named = rustix::process::Pid::from_raw(pid).filter(|_| carries(pid, token))?;
    let pidfd = pidfd_open(named, PidfdFlags::empty()).ok()?;
    carries(pid, token).then_some(Found { pid, pidfd })
}

/// The word itself, not a part of a longer one: the runtime's own command line carries it too, but as one of its words it
/// stands last, behind the role, and that process is not yet the agent. The agent has no such words before the role.
fn carries(pid: i32, token: &str) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
    let ends_with_token = words.last().is_some_and(|word| *word == token.as_bytes());
    ends_with_token
        && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| super::bundle::is_agent(&exe))
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
