//! The runner's side: starting the nursery, and the processes it makes.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::farewell::Farewell;
use super::protocol::{Part, Report, Request};
use super::serve;
use crate::fact::{Bait, Ended, Subject};
use crate::sandbox::native::poison::VARIABLE;
use crate::sandbox::run_directory::RunDirectory;
use crate::sandbox::vouch::Known;
use crate::sys::{self, Cloned, Failure, pipe};

/// How long the nursery may take to answer a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a killed process may take to be gone before it is killed again.
const BETWEEN_KILLS: Duration = Duration::from_millis(100);

/// Why a process could not be made or watched.
#[derive(Debug, thiserror::Error)]
pub enum NurseryError {
    /// A system call of the runner's failed.
    #[error(transparent)]
    System(#[from] Failure),
    /// The process could not be made or set up: a system call failed on its side.
    #[error("{0}")]
    Setup(Failure),
    /// It ended before it was set up.
    #[error("the sandbox's first process ended during its setup")]
    EndedEarly,
    /// The nursery has gone.
    #[error("the nursery process has gone")]
    Gone,
    /// The nursery could not go on: a system call failed on its side.
    #[error("the nursery process could not go on: {0}")]
    Stopped(Failure),
    /// It did not answer in time.
    #[error("the nursery did not answer in time")]
    Late,
    /// It said something else than what was asked for.
    #[error("the nursery said something unexpected: {0}")]
    Unexpected(String),
}

/// A handle to the nursery. When it is dropped the nursery kills all that it made, cleans up, and ends; that is waited for.
#[derive(Debug)]
pub struct Nursery {
    farewell: Farewell,
    run: Arc<RunDirectory>,
    bait: Mutex<Option<Bait>>,
    /// Why it has gone, if it has said so.
    stopped: OnceLock<Failure>,
    /// How many sandboxes it was asked for.
    sandboxes: AtomicUsize,
}

impl Nursery {
    /// Forks the nursery. To be called before the first thread is started.
    pub fn start() -> Result<Self, NurseryError> {
        let run = Arc::new(RunDirectory::create()?);
        // What starts sandboxes has a secret in its environment, so that it shows where one gets out.
        sys::environment::set(VARIABLE, run.tag());
        // Who has not been forked cannot remove it.
        let nursery = Self::fork(Arc::clone(&run)).inspect_err(|_| run.remove())?;
        nursery.await_standing()?;
        Ok(nursery)
    }

    fn fork(run: Arc<RunDirectory>) -> Result<Self, NurseryError> {
        let (ours, theirs) = sys::socket_pair()?;
        // What the nursery made falls to the runner should the nursery die before it.
        prctl::set_child_subreaper(true)
            .map_err(|errno| Failure::new("prctl", &[&"PR_SET_CHILD_SUBREAPER"], errno))?;
        match sys::fork(false)? {
            Cloned::Child => {
                drop(ours);
                serve::serve(&theirs, &run)
            }
            Cloned::Parent(child) => {
                let farewell = Farewell::new(ours, child, Arc::clone(&run));
                Ok(Self {
                    farewell,
                    run,
                    bait: Mutex::default(),
                    stopped: OnceLock::new(),
                    sandboxes: AtomicUsize::new(0),
                })
            }
        }
    }

    fn await_standing(&self) -> Result<(), NurseryError> {
        if !pipe::wait(self.farewell.socket(), PollFlags::POLLIN, Instant::now() + PATIENCE)? {
            return Err(NurseryError::Late);
        }
        match self.hear()? {
            Some(Report::Ready) => Ok(()),
            Some(Report::Failed(failure)) => Err(NurseryError::Stopped(failure)),
            Some(other) => Err(NurseryError::Unexpected(format!("{other:?}"))),
            None => Err(NurseryError::Gone),
        }
    }

    /// What the nursery says of itself.
    fn hear(&self) -> Result<Option<Report>, NurseryError> {
        let packet = sys::receive(self.farewell.socket().as_fd())?;
        let read = |bytes: &[u8]| {
            serde_json::from_slice(bytes).map_err(|error| NurseryError::Unexpected(error.to_string()))
        };
        packet.map(|packet| read(&packet.bytes)).transpose()
    }

    /// Why the nursery has gone: its last word, if there was one. Requests that it had not read hide it once, as ECONNRESET.
    fn gone(&self) -> NurseryError {
        let word = || (0..2).find_map(|_| self.hear().ok().flatten());
        if let (None, Some(Report::Failed(failure))) = (self.stopped.get(), word()) {
            // It says only one.
            let _ = self.stopped.set(failure);
        }
        self.stopped.get().cloned().map_or(NurseryError::Gone, NurseryError::Stopped)
    }

    /// Another handle that can end it.
    pub fn farewell(&self) -> Farewell {
        self.farewell.clone()
    }

    /// The directory of this run.
    pub fn run(&self) -> &RunDirectory {
        &self.run
    }

    /// How many sandboxes it was asked for until now.
    pub fn sandboxes(&self) -> usize {
        self.sandboxes.load(Ordering::Relaxed)
    }

    /// The names of the host's bait, which is laid out when they are first asked for.
    pub fn bait(&self) -> Result<Bait, NurseryError> {
        let mut known = self.bait.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = &*known {
            return Ok(names.clone());
        }
        let (ours, theirs) = sys::socket_pair()?;
        // It takes no streams, but each request has their place.
        self.ask(&Request::Bait, [theirs.as_raw_fd(); 4])?;
        drop(theirs);
        let names = laid(&ours)?;
        Ok(known.insert(names).clone())
    }

    /// Has a process made, with these standard streams.
    pub(in crate::sandbox) fn make(
        &self,
        request: &Request,
        streams: [RawFd; 3],
    ) -> Result<Process, NurseryError> {
        match request {
            Request::Native { .. } => {
                self.sandboxes.fetch_add(1, Ordering::Relaxed);
            }
            Request::Launch(launch) if !matches!(launch.part, Part::Further(_)) => {
                self.run.runtimes_were_used();
                self.sandboxes.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        self.request(request, streams).map_err(|error| match error {
            NurseryError::Gone => self.gone(),
            other => other,
        })
    }

    fn request(&self, request: &Request, streams: [RawFd; 3]) -> Result<Process, NurseryError> {
        let (ours, theirs) = sys::socket_pair()?;
        let [input, output, errors] = streams;
        self.ask(request, [input, output, errors, theirs.as_raw_fd()])?;
        drop(theirs);
        Process::await_birth(ours)
    }

    fn ask(&self, request: &Request, fds: [RawFd; 4]) -> Result<(), NurseryError> {
        let bytes =
            serde_json::to_vec(request).map_err(|error| NurseryError::Unexpected(error.to_string()))?;
        sys::send(self.farewell.socket().as_fd(), &bytes, &fds).map_err(unsent)
    }
}

/// What the nursery says of the bait.
fn laid(report: &OwnedFd) -> Result<Bait, NurseryError> {
    if !pipe::wait(report, PollFlags::POLLIN, Instant::now() + PATIENCE)? {
        return Err(NurseryError::Late);
    }
    let packet = sys::receive(report.as_fd())?.ok_or(NurseryError::Gone)?;
    match serde_json::from_slice(&packet.bytes) {
        Ok(Report::Laid(names)) => Ok(names),
        Ok(Report::Failed(failure)) => Err(NurseryError::Setup(failure)),
        other => Err(NurseryError::Unexpected(format!("{other:?}"))),
    }
}

/// Only a peer that has gone is EPIPE or ECONNRESET.
fn unsent(failure: Failure) -> NurseryError {
    match failure.errno {
        libc::EPIPE | libc::ECONNRESET => NurseryError::Gone,
        _ => NurseryError::System(failure),
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        self.farewell.say();
    }
}

/// A process that the nursery made.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    pidfd: OwnedFd,
    report: OwnedFd,
    last: Mutex<Last>,
    /// It was not made by the nursery: it is looked at, and nothing is done to it.
    watched: Option<OwnedFd>,
}

/// What has been said last of a process.
#[derive(Debug, Clone, Default)]
struct Last {
    ready: bool,
    /// The device of the root that was prepared for it.
    root: Option<u64>,
    failed: Option<Failure>,
    ended: Option<Ended>,
    /// It has ended, and has not been waited for.
    zombie: bool,
    gone: bool,
}

impl Process {
    /// The nursery answers at once: nothing that a sandbox does can keep it.
    /// The process itself may be quicker, and report before its birth is.
    fn await_birth(report: OwnedFd) -> Result<Self, NurseryError> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Last::default();
        while pipe::wait(&report, PollFlags::POLLIN, deadline)? {
            let packet = sys::receive(report.as_fd())?.ok_or(NurseryError::Gone)?;
            match serde_json::from_slice(&packet.bytes) {
                Ok(Report::Born { pid }) => {
                    let pidfd = packet.fds.into_iter().next().ok_or(NurseryError::Gone)?;
                    return Ok(Self { pid, pidfd, report, last: Mutex::new(last), watched: None });
                }
                Ok(Report::Ready) => last.ready = true,
                Ok(Report::Root { device }) => last.root = Some(device),
                Ok(Report::Failed(failure)) => return Err(NurseryError::Setup(failure)),
                other => return Err(NurseryError::Unexpected(format!("{other:?}"))),
            }
        }
        Err(NurseryError::Late)
    }

    /// A process that is there already. It is never signalled, and how it ends is not known.
    pub(in crate::sandbox) fn watch(pid: i32) -> Result<Self, Failure> {
        let named = rustix::process::Pid::from_raw(pid).ok_or(rustix::io::Errno::SRCH);
        let pidfd = named.and_then(|named| pidfd_open(named, PidfdFlags::empty()));
        let pidfd = pidfd.map_err(|errno| Failure::from_io("pidfd_open", &[&pid], &errno.into()))?;
        // Nobody reports of it, and nobody hangs up.
        let (report, silent) = sys::socket_pair()?;
        Ok(Self { pid, pidfd, report, last: Mutex::default(), watched: Some(silent) })
    }

    /// Its PID in the runner's PID namespace. It is not given to another process before [`Process::ended`] says so.
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// What tells whether it is the agent, when it says that it is.
    pub(in crate::sandbox) fn known(&self) -> Result<Known, Failure> {
        let pidfd = self.pidfd.try_clone();
        let failed = |error| Failure::from_io("fcntl", &[&self.pidfd, &"F_DUPFD_CLOEXEC"], &error);
        Ok(Known::new(self.pid, pidfd.map_err(failed)?))
    }

    /// The socket on which its reports arrive, for poll(2).
    pub const fn report(&self) -> &OwnedFd {
        &self.report
    }

    /// Sends a signal; one to a process that has ended is lost, as a signal always may be.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        if self.watched.is_some() {
            return Err(Failure::new("pidfd_send_signal", &[&self.pid, &signal], nix::errno::Errno::EPERM));
        }
        let number = rustix::process::Signal::from_named_raw(signal as i32);
        let Some(number) = number else { return Ok(()) };
        match pidfd_send_signal(&self.pidfd, number) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => {
                let errno = nix::errno::Errno::from_raw(errno.raw_os_error());
                Err(Failure::new("pidfd_send_signal", &[&self.pid, &signal], errno))
            }
        }
    }

    /// How it ended, as far as has been reported by now.
    pub fn ended(&self) -> Option<Ended> {
        self.catch_up(Instant::now());
        self.last().ended
    }

    /// The process as the host sees it.
    pub fn subject(&self) -> Subject {
        self.catch_up(Instant::now());
        let Last { ended, zombie, .. } = self.last();
        let subject = Subject::other(self.pid, ended);
        if zombie { subject.unwaited() } else { subject }
    }

    /// Why it could not be set up, or its program not be executed.
    pub fn failed(&self) -> Option<Failure> {
        self.catch_up(Instant::now());
        self.last().failed
    }

    /// The device of the root filesystem that was prepared for it, if one was, and it has come so far.
    pub(in crate::sandbox) fn root_device(&self) -> Option<u64> {
        self.catch_up(Instant::now());
        self.last().root
    }

    /// Waits for its end. `None`: it has not ended by the deadline, or the nursery has gone.
    pub fn wait(&self, deadline: Instant) -> Option<Ended> {
        while self.last().ended.is_none() && !self.last().gone && Instant::now() < deadline {
            self.catch_up(deadline);
        }
        self.last().ended
    }

    /// Kills it and waits for its end, which comes at once, unless the kernel itself hangs.
    pub fn kill(&self, deadline: Instant) -> Option<Ended> {
        // It fails only for a process that is gone.
        let _ = self.signal(Signal::SIGKILL);
        self.wait(deadline)
    }

    /// Kills it and waits until it is gone, however it ended: the pidfd says so before the nursery does.
    pub fn end(&self, deadline: Instant) {
        while self.watched.is_none() {
            // Sent again, should it fail for another reason than that the process is gone.
            let _ = self.signal(Signal::SIGKILL);
            let now = Instant::now();
            let look = (now + BETWEEN_KILLS).min(deadline);
            if pipe::wait(&self.pidfd, PollFlags::POLLIN, look).unwrap_or(false) || now >= deadline {
                return;
            }
        }
    }

    /// Whether nothing more will be heard of it: it has ended, or the nursery has gone.
    pub fn is_over(&self) -> bool {
        self.catch_up(Instant::now());
        let last = self.last();
        last.ended.is_some() || last.gone
    }

    fn last(&self) -> Last {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it is set up, and about to become its command.
    pub fn ready(&self, deadline: Instant) -> Result<(), NurseryError> {
        loop {
            let last = self.last();
            match last {
                Last { ready: true, .. } => return Ok(()),
                Last { failed: Some(failure), .. } => return Err(NurseryError::Setup(failure)),
                Last { ended: Some(_), .. } => return Err(NurseryError::EndedEarly),
                Last { gone: true, .. } => return Err(NurseryError::Gone),
                _ if Instant::now() >= deadline => return Err(NurseryError::Late),
                _ => self.catch_up(deadline),
            }
        }
    }

    /// Reads the reports that are there, waiting for the first one until the deadline.
    fn catch_up(&self, deadline: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut deadline = deadline;
        while !last.gone
            && last.ended.is_none()
            && pipe::wait(&self.report, PollFlags::POLLIN, deadline).unwrap_or(false)
        {
            match sys::receive(self.report.as_fd())
                .ok()
                .flatten()
                .map(|packet| serde_json::from_slice(&packet.bytes))
            {
                Some(Ok(Report::Ready)) => last.ready = true,
                Some(Ok(Report::Root { device })) => last.root = Some(device),
                Some(Ok(Report::Failed(failure))) => last.failed = Some(failure),
                Some(Ok(Report::Ended(ended))) => last.ended = Some(ended),
                Some(Ok(Report::Zombie(ended))) => {
                    last.ended = Some(ended);
                    last.zombie = true;
                }
                Some(_) => {}
                None => last.gone = true,
            }
            deadline = Instant::now();
        }
    }
}

impl Drop for Process {
    /// A process that nobody watches any more is ended: an error on the way must not leave it running.
    fn drop(&mut self) {
        // It fails only for a process that is gone.
        let _ = self.signal(Signal::SIGKILL);
    }
}
