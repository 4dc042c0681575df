//! Finding the agent's process from the host, by the token on its command line.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::signal::Signal;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::sandbox::processes;
use crate::sandbox::runtime::StartError;
use crate::sandbox::vouch::{Brought, vouch};
use crate::sys::{Failure, Result as SysResult, pipe};

/// A process that was found.
#[derive(Debug)]
pub(in crate::sandbox) struct Found {
    /// Its PID on the host.
    pub(in crate::sandbox) pid: i32,
    pidfd: OwnedFd,
}

impl Found {
    /// Whether it goes on.
    pub(in crate::sandbox) fn is_alive(&self) -> bool {
        !pipe::wait(&self.pidfd, PollFlags::POLLIN, Instant::now()).unwrap_or(true)
    }

    /// Signals it. One that has ended has lost the signal, as a signal always may be.
    pub(in crate::sandbox) fn signal(&self, signal: Signal) -> SysResult<()> {
        let Some(number) = rustix::process::Signal::from_named_raw(signal as i32) else { return Ok(()) };
        match pidfd_send_signal(&self.pidfd, number) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(Failure::from_io("pidfd_send_signal", &[&self.pid, &signal], &errno.into())),
        }
    }
}

/// How long a process may take to be seen that has said hello already.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of an agent before it is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought<'a> {
    /// The last word of its command line.
    pub(super) token: &'a str,
    /// The PID that it has reported.
    pub(super) reported: i32,
    /// What was brought of this program for it to run.
    pub(super) brought: Option<&'a Brought>,
    /// The device of the root that it must be in, if that is known.
    pub(super) root: Option<u64>,
}

/// The host's PID of the process whose command line carries the token, vouched for: it runs this program, or what was brought of it,
/// has the PID that the agent reported, and is in the root that the runtime was given.
pub(super) fn agent(sought: &Sought<'_>, deadline: Instant) -> Result<Found, StartError> {
    let deadline = deadline.min(Instant::now() + PATIENCE);
    loop {
        if let Some(found) = processes::newest_first().into_iter().find_map(|pid| find(pid, sought.token)) {
            let vouched = vouch(found.pid, found.pidfd.as_fd(), sought.reported, sought.brought)
                .and_then(|()| sought.root.map_or(Ok(()), |device| is_in_root(found.pid, device)));
            return vouched.map(|()| found).map_err(StartError::NotFound);
        }
        if Instant::now() >= deadline {
            return Err(StartError::NotFound(nobody(sought.token)));
        }
        std::thread::yield_now();
    }
}

/// Why nobody was found: who carries the token, and is not the agent, is told.
fn nobody(token: &str) -> String {
    let others = processes::all().into_iter().filter(|pid| ends_with_token(*pid, token));
    let others: Vec<String> = others
        .take(3)
        .map(|pid| format!("process {pid} carries its token, but runs {}", program(pid)))
        .collect();
    if others.is_empty() { "no process carries its token".to_owned() } else { others.join(", ") }
}

fn program(pid: i32) -> String {
    fs::read_link(format!("/proc/{pid}/exe"))
        .map_or_else(|_| "nothing that can be read".to_owned(), |exe| exe.display().to_string())
}

/// Its root is on the device: bind mounts of a root keep that.
fn is_in_root(pid: i32, device: u64) -> Result<(), String> {
    let link = format!("/proc/{pid}/root/.");
    let root = fs::metadata(&link).map_err(|error| format!("{link} cannot be read: {error}"))?.st_dev();
    let name = |device| format!("device {}:{}", libc::major(device), libc::minor(device));
    if root == device {
        return Ok(());
    }
    Err(format!(
        "the root of process {pid} is on {}, and the one that the runtime was given on {}",
        name(root),
        name(device)
    ))
}

/// Holds that a further process is where the first one is: in its root, its mount and its PID namespace. An `exec` that makes a container of
/// its own would have claims judge another one.
pub(super) fn is_beside(further: &Found, first: i32) -> Result<(), StartError> {
    let place = |pid: i32| {
        let root = fs::metadata(format!("/proc/{pid}/root/.")).map(|found| (found.st_dev(), found.st_ino()));
        let link = |name: &str| fs::read_link(format!("/proc/{pid}/ns/{name}"));
        Ok::<_, std::io::Error>([
            ("root", format!("{:?}", root?)),
            ("mount namespace", link("mnt")?.display().to_string()),
            ("PID namespace", link("pid")?.display().to_string()),
        ])
    };
    let unread = |error: std::io::Error| StartError::NotFound(format!("where it is cannot be read: {error}"));
    let (here, there) = (place(further.pid).map_err(unread)?, place(first).map_err(unread)?);
    match here.iter().zip(&there).find(|(here, there)| here != there) {
        None => Ok(()),
        Some(((what, here), (_, there))) => {
            Err(StartError::Elsewhere(format!("its {what} is {here}, and that of the first process {there}")))
        }
    }
}

/// A process that carries the token before and after its pidfd was opened: the PID did not come to mean another in between.
fn find(pid: i32, token: &str) -> Option<Found> {
    let named = rustix::process::Pid::from_raw(pid).filter(|_| carries(pid, token))?;
    let pidfd = pidfd_open(named, PidfdFlags::empty()).ok()?;
    carries(pid, token).then_some(Found { pid, pidfd })
}

/// The runtime's own command line carries the token too, and that process is not yet the agent.
fn carries(pid: i32, token: &str) -> bool {
    ends_with_token(pid, token)
        && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| super::bundle::is_agent(&exe))
}

/// The word itself, not a part of a longer one: it stands last, behind the role.
fn ends_with_token(pid: i32, token: &str) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let last = line.split(|byte| *byte == 0).rfind(|word| !word.is_empty());
    last.is_some_and(|word| word == token.as_bytes())
}
