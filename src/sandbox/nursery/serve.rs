//! The nursery's own side: its loop, what it keeps of each process, and its end.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{dup2_stdin, dup2_stdout, setsid};

use super::make::{Made, Maker};
use super::orphans;
use super::protocol::{Report, Request};
use crate::fact::Ended;
use crate::sandbox::run_directory::RunDirectory;
use crate::sys::{self, Failure};

/// Serves the runner until it has gone, then kills and cleans up all that is left. It is called in a fresh fork.
pub(super) fn serve(socket: &OwnedFd, run: &RunDirectory) -> ! {
    let status = match stand_apart() {
        Ok(signals) => {
            let mut serving = Serving { maker: Maker::new(run), members: Vec::new(), ended: Vec::new() };
            serving.until_alone(socket, &signals);
            serving.clear();
            run.remove();
            0
        }
        Err(errno) => errno as i32,
    };
    sys::exit_now(status)
}

/// Leaves the runner's terminal and becomes the subreaper. Its signals come by descriptor.
fn stand_apart() -> nix::Result<SignalFd> {
    // Ctrl-C is for the runner; the nursery ends when the runner has.
    setsid()?;
    prctl::set_child_subreaper(true)?;
    let null = nix::fcntl::open("/dev/null", nix::fcntl::OFlag::O_RDWR, nix::sys::stat::Mode::empty())?;
    // A reader of the runner's output must not have to wait for the nursery.
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        signals.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None)?;
    sys::default_signals();
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// What the nursery has and does.
struct Serving<'a> {
    maker: Maker<'a>,
    members: Vec<Made>,
    /// Those that have ended, and that the runner still looks at.
    ended: Vec<Made>,
}

impl Serving<'_> {
    /// The loop: requests, and ends of processes, until the runner has gone or someone asks the nursery to end.
    fn until_alone(&mut self, socket: &OwnedFd, signals: &SignalFd) {
        loop {
            let mut fds = vec![
                PollFd::new(socket.as_fd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            fds.extend(self.ended.iter().map(|made| PollFd::new(made.report.as_fd(), PollFlags::empty())));
            let idle = self.maker.wants_ahead();
            match poll(&mut fds, if idle { PollTimeout::ZERO } else { PollTimeout::NONE }) {
                Ok(0) if idle => {
                    self.maker.make_ahead();
                    continue;
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let told: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            let [asked, signalled, left @ ..] = told.as_slice() else { return };
            self.clear_left(left);
            if *signalled && !self.hear(signals) || *asked && !self.answer(socket) {
                return;
            }
        }
    }

    /// What outlived its sandbox's first process lives as long as the runner looks at the sandbox: that nothing outlives it is
    /// for the kernel to see to, and for claims to find out.
    fn clear_left(&mut self, left: &[bool]) {
        let mut left = left.iter();
        self.ended.retain_mut(|made| {
            let is_left = left.next().copied().unwrap_or(false);
            if is_left {
                made.clear();
            }
            !is_left
        });
    }

    /// Takes the signals that are there. False when one of them asks for the end.
    fn hear(&mut self, signals: &SignalFd) -> bool {
        while let Ok(Some(signal)) = signals.read_signal() {
            let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
            if number == Signal::SIGTERM as i32 || number == Signal::SIGINT as i32 {
                return false;
            }
        }
        self.reap();
        true
    }

    /// Takes one request. False when the runner has gone.
    fn answer(&mut self, socket: &OwnedFd) -> bool {
        let Ok(Some(packet)) = sys::receive(socket.as_fd()) else { return false };
        let Ok([input, output, errors, report]) = <[OwnedFd; 4]>::try_from(packet.fds) else { return true };
        let Ok(request) = serde_json::from_slice::<Request>(&packet.bytes) else { return true };
        if let Some(failure) = self.refusal(&request) {
            drop(Report::Failed(failure).send(report.as_fd(), &[]));
            return true;
        }
        match self.maker.make(&request, &[input, output, errors], report) {
            Ok(made) => self.members.push(made),
            // If the runner no longer listens to this report it will not miss it.
            Err((failure, report)) => drop(Report::Failed(failure).send(report.as_fd(), &[])),
        }
        true
    }

    /// A process to be joined must not have been waited for: its PID may mean another one by now, even one of the host's. Only
    /// a runtime that stands between, and whose agent was found, knows a process that was not made here.
    fn refusal(&self, request: &Request) -> Option<Failure> {
        let Request::Join { blueprint, pid, .. } = request else { return None };
        let known = self.maker.is_chrooted(blueprint) || self.members.iter().any(|made| made.pid == *pid);
        (!known).then(|| Failure::new("setns", &[pid], Errno::ESRCH))
    }

    /// Waits for all that has ended, and tells the runner of those it knows.
    fn reap(&mut self) {
        while let Some((pid, ended)) = next_ended() {
            let Some(place) = self.members.iter().position(|made| made.pid == pid) else {
                self.maker.forget(pid);
                continue;
            };
            let made = self.members.swap_remove(place);
            drop(Report::Ended(ended).send(made.report.as_fd(), &[]));
            self.ended.push(made);
        }
    }

    /// Kills every process that is left, and waits for each.
    fn clear(&mut self) {
        orphans::kill_all_descendants();
        self.members.drain(..).chain(self.ended.drain(..)).for_each(|mut made| made.clear());
    }
}

/// One child that has ended, waited for.
fn next_ended() -> Option<(i32, Ended)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => return Some((pid.as_raw(), Ended::Exited(status))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Some((pid.as_raw(), Ended::Signaled(signal as i32)));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}
