//! The nursery's own side: its loop, what it keeps of each process, and its end.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, Uid, dup2_stdin, dup2_stdout, setsid};

use super::make::{Made, Maker};
use super::orphans;
use super::protocol::{Report, Request};
use crate::fact::Ended;
use crate::sandbox::bait::Laid;
use crate::sandbox::run_directory::RunDirectory;
use crate::sys::{self, Failure, Result};

/// Serves the runner until it has gone, then kills and cleans up all that is left. It is called in a fresh fork.
pub(super) fn serve(socket: &OwnedFd, run: &RunDirectory) -> ! {
    let standing = stand_apart()
        .and_then(|signals| Report::Ready.send(socket.as_fd(), &[]).map(|()| signals))
        .map_err(|failure| stop(socket, failure));
    let Ok(signals) = standing else { sys::exit_now(1) };
    let mut serving = Serving::new(run);
    // Said before anything is cleared, so that whoever waits for an answer finds it.
    let _ = serving.until_alone(socket, &signals).map_err(|failure| stop(socket, failure));
    serving.clear();
    // What a runner that was killed has asked of runtimes can have left a process that is none of the nursery's: podman's, of an ordinary user.
    if run.used_runtimes() || !Uid::effective().is_root() {
        orphans::kill_marked(run.tag());
    }
    run.remove();
    sys::exit_now(0)
}

/// The last word. If the runner no longer listens there is nobody to tell.
fn stop(socket: &OwnedFd, failure: Failure) {
    let _ = Report::Failed(failure).send(socket.as_fd(), &[]);
}

/// Leaves the runner's terminal and becomes the subreaper. Its signals come by descriptor.
fn stand_apart() -> Result<SignalFd> {
    // Ctrl-C is for the runner; the nursery ends when the runner has.
    setsid().map_err(failed("setsid"))?;
    prctl::set_child_subreaper(true).map_err(failed("prctl"))?;
    // A sandbox that shares the host's PIDs can have stopped it when the runner is killed, and nobody else would wake it. It is sent as well where
    // only the runner's thread has ended that started it, and does nothing then.
    prctl::set_pdeathsig(Signal::SIGCONT).map_err(failed("prctl"))?;
    let null = nix::fcntl::open("/dev/null", nix::fcntl::OFlag::O_RDWR, nix::sys::stat::Mode::empty())
        .map_err(failed("open"))?;
    // A reader of the runner's output must not have to wait for the nursery.
    dup2_stdin(&null).and_then(|()| dup2_stdout(&null)).map_err(failed("dup2"))?;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        signals.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None).map_err(failed("sigprocmask"))?;
    sys::default_signals();
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(failed("signalfd"))
}

fn failed(call: &str) -> impl Fn(Errno) -> Failure {
    move |errno| Failure::new(call, &[], errno)
}

/// What the nursery has and does.
struct Serving<'a> {
    run: &'a RunDirectory,
    maker: Maker<'a>,
    bait: Option<Laid>,
    members: Vec<Made>,
    /// Those that have ended, and that the runner still looks at.
    ended: Vec<Made>,
}

impl<'a> Serving<'a> {
    fn new(run: &'a RunDirectory) -> Self {
        Self { run, maker: Maker::new(run), bait: None, members: Vec::new(), ended: Vec::new() }
    }

    /// The loop: requests, and ends of processes, until the runner has gone or someone asks the nursery to end.
    fn until_alone(&mut self, socket: &OwnedFd, signals: &SignalFd) -> Result<()> {
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
                Err(errno) => return Err(Failure::new("poll", &[], errno)),
            }
            let told: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            let [asked, signalled, left @ ..] = told.as_slice() else { return Ok(()) };
            self.clear_left(left);
            if *signalled && !self.hear(signals) || *asked && !self.answer(socket)? {
                return Ok(());
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
                made.wait_for();
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
    fn answer(&mut self, socket: &OwnedFd) -> Result<bool> {
        let Some(packet) = sys::receive(socket.as_fd())? else { return Ok(false) };
        let Ok([input, output, errors, report]) = <[OwnedFd; 4]>::try_from(packet.fds) else {
            return Ok(true);
        };
        let Ok(request) = serde_json::from_slice::<Request>(&packet.bytes) else { return Ok(true) };
        if let Some(failure) = self.refusal(&request) {
            drop(Report::Failed(failure).send(report.as_fd(), &[]));
            return Ok(true);
        }
        if matches!(request, Request::Bait) {
            self.maker.give_up_ahead();
            self.lay_bait(&report);
            return Ok(true);
        }
        match self.maker.make(&request, &[input, output, errors], report) {
            Ok(made) => self.members.push(made),
            // If the runner no longer listens to this report it will not miss it.
            Err((failure, report)) => drop(Report::Failed(failure).send(report.as_fd(), &[])),
        }
        Ok(true)
    }

    /// It is laid out when it is first asked for, and stays to the end.
    fn lay_bait(&mut self, report: &OwnedFd) {
        let laid = match self.bait.take() {
            Some(bait) => Ok(bait),
            None => Laid::lay(self.run),
        };
        let said = match laid {
            Ok(bait) => Report::Laid(self.bait.insert(bait).names.clone()),
            Err(failure) => Report::Failed(failure),
        };
        // If the runner no longer listens it will not miss it.
        let _ = said.send(report.as_fd(), &[]);
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
        while let Some((pid, ended)) = next_ended(&self.unwaited()) {
            self.tell(pid, &Report::Ended(ended));
        }
        for pid in self.unwaited() {
            if let Some(ended) = zombie(pid) {
                self.tell(pid, &Report::Zombie(ended));
            }
        }
    }

    /// Tells the runner of the end of a member.
    fn tell(&mut self, pid: i32, end: &Report) {
        let Some(place) = self.members.iter().position(|made| made.pid == pid) else {
            self.maker.forget(pid);
            return;
        };
        let mut made = self.members.swap_remove(place);
        if end.send(made.report.as_fd(), &[]).is_ok() {
            self.ended.push(made);
        } else {
            // Nobody looks at it any more, or who does must not wait: that the report ends is a word too.
            made.wait_for();
            made.clear();
        }
    }

    /// Those that are not to be waited for until the runner lets go of them.
    fn unwaited(&self) -> Vec<i32> {
        let members = self.members.iter().chain(&self.ended);
        members.filter(|made| !made.waited_for).map(|made| made.pid).collect()
    }

    /// Kills every process that is left, and waits for each.
    fn clear(&mut self) {
        orphans::kill_all_descendants();
        self.members.drain(..).chain(self.ended.drain(..)).for_each(|mut made| made.clear());
    }
}

/// One child that has ended, waited for; none of those that are not to be.
fn next_ended(unwaited: &[i32]) -> Option<(i32, Ended)> {
    if unwaited.is_empty() {
        return wait_for(None);
    }
    // What is not waited for would come first again and again.
    let mut others = orphans::children().filter(|pid| !unwaited.contains(pid));
    others.find_map(|pid| wait_for(Some(Pid::from_raw(pid))))
}

/// How a child ended that stays a zombie; `None` if it has not.
fn zombie(pid: i32) -> Option<Ended> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
        Ok(WaitStatus::Exited(_, status)) => Some(Ended::Exited(status)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ended::Signaled(signal as i32)),
        _ => None,
    }
}

fn wait_for(child: Option<Pid>) -> Option<(i32, Ended)> {
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
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
