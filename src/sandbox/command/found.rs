//! Finding the agent's process from the host, by the token on its command line.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::sys::signal::Signal;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::fact::Subject;
use crate::sandbox::runtime::StartError;
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

/// The host's PID of the process whose command line carries the token, checked against the PID that the agent reported:
/// it must be the last of the process's `NSpid` (proc(5)).
pub(super) fn agent(token: &str, reported: i32, deadline: Instant) -> Result<Found, StartError> {
    loop {
        if let Some(found) = processes().find_map(|pid| find(pid, token)) {
            let seen = inner_pid(found.pid);
            return if seen == Some(reported) { Ok(found) } else { Err(mismatch(found.pid, seen, reported)) };
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

fn mismatch(pid: i32, seen: Option<i32>, reported: i32) -> StartError {
    let seen = seen.map_or_else(|| "unreadable".to_owned(), |pid| pid.to_string());
    StartError::NotFound(format!(
        "process {pid} carries its token, but its NSpid ends in {seen} and the agent says {reported}"
    ))
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

fn inner_pid(pid: i32) -> Option<i32> {
    let status = fs::read(Subject::other(pid, None).proc_file("status")).ok()?;
    let status = String::from_utf8_lossy(&status).into_owned();
    let line = status.lines().find(|line| line.starts_with("NSpid:"))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
