//! The guest's first process once the machine is up: between the host and the two engines, root's and the ordinary user's.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, clock_settime};

use super::cgroups::hand_down;
use super::core;
use super::engine;
use super::init::tainted;
use super::serial::Serial;
use super::shell;
use super::users::HOME;
use crate::sys::{self, Failure, Result};
use crate::vm::layout::USER;
use crate::vm::wire::{FromGuest, Go, KernelFacts, Summed, ToGuest, text_of};

/// How long the first process sleeps at most, in milliseconds: orphans fall to it, and are waited for then.
const NAP: u16 = 200;

/// Serves the host until it says that it is the end; whether it did.
pub(super) fn serve(serial: &mut Serial, facts: KernelFacts) -> bool {
    match try_serve(serial, facts) {
        Ok(()) => true,
        Err(failure) => {
            eprintln!("airtight: {failure}");
            let _ = serial.say(&FromGuest::Stuck(failure.to_string()));
            false
        }
    }
}

fn try_serve(serial: &mut Serial, facts: KernelFacts) -> Result<()> {
    let mut engines = [Worker::start(false)?, Worker::start(true)?];
    serial.say(&FromGuest::Ready(facts))?;
    loop {
        wait_for_any(serial, &engines);
        reap();
        for worker in &mut engines {
            worker.pass_on(serial)?;
        }
        if !is_readable(serial) {
            continue;
        }
        serial.take_in()?;
        while let Some(heard) = serial.heard() {
            match heard {
                Ok(ToGuest::Go(go)) => begin(&mut engines, &go)?,
                Ok(ToGuest::Shell(visit)) => {
                    wake(visit.clock, &visit.seed)?;
                    shell::serve(serial, &visit)?;
                }
                // It has ended meanwhile.
                Ok(ToGuest::Input(_)) => {}
                Ok(ToGuest::End) => return serial.say(&FromGuest::End),
                Err(reason) => serial.say(&FromGuest::Stuck(reason))?,
            }
        }
    }
}

fn wait_for_any(serial: &Serial, engines: &[Worker; 2]) {
    let mut fds = vec![PollFd::new(serial.as_fd(), PollFlags::POLLIN)];
    fds.extend(engines.iter().map(|worker| PollFd::new(worker.output.get_ref().as_fd(), PollFlags::POLLIN)));
    // Interrupted or failed, the loop looks again.
    let _ = poll(&mut fds, PollTimeout::from(NAP));
}

pub(super) fn is_readable(fd: &Serial) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}

/// What has lost its parent falls to the first process, and stays a zombie unless that waits for it.
fn reap() {
    while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(_)) {}
}

/// A VM that was restored has the clock and the random numbers of when it was frozen.
fn wake((seconds, nanoseconds): (i64, i64), seed: &str) -> Result<()> {
    let now = TimeSpec::new(seconds, nanoseconds);
    clock_settime(ClockId::CLOCK_REALTIME, now).map_err(|errno| Failure::new("clock_settime", &[], errno))?;
    sys::machine::stir(seed.as_bytes())
}

fn begin(engines: &mut [Worker; 2], go: &Go) -> Result<()> {
    wake(go.clock, &go.seed)?;
    let worker = &mut engines[usize::from(go.unprivileged)];
    worker.tainted = tainted();
    worker.cores = go.cores.then(|| go.nonce.clone());
    if go.cores {
        core::ask().map_err(|error| Failure::from_io("write", &[&"core_pattern"], &error))?;
    }
    let failed = |error: &std::io::Error| Failure::from_io("write", &[&"engine"], error);
    let line = serde_json::to_vec(go).map_err(|error| failed(&error.into()))?;
    worker.input.write_all(&[&line, b"\n".as_slice()].concat()).map_err(|error| failed(&error))
}

/// An engine.
struct Worker {
    /// It is waited for with all others.
    _process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the kernel was tainted by when it was last asked something.
    tainted: u64,
    /// The word by which core dumps are told, where they are wanted.
    cores: Option<String>,
}

impl Worker {
    /// Root's, or the ordinary user's. It is ready when it says so, and can then be frozen with the machine.
    fn start(unprivileged: bool) -> Result<Self> {
        let failed = |error: &std::io::Error| Failure::from_io("execve", &[&"/init"], error);
        let user = if unprivileged { USER } else { 0 };
        enter_cgroup(user);
        let mut command = Command::new("/init");
        command.arg(engine::ROLE).stdin(Stdio::piped()).stdout(Stdio::piped()).env_clear();
        command
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8");
        command.env("HOME", if unprivileged { HOME } else { "/root" }).current_dir("/");
        if unprivileged {
            command.uid(user).gid(user).env("USER", "user");
        }
        let mut process = command.spawn().map_err(|error| failed(&error))?;
        leave_cgroup();
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Failure::new("pipe", &[], nix::errno::Errno::EBADF));
        };
        let mut worker =
            Self { _process: process, input, output: BufReader::new(output), tainted: 0, cores: None };
        let mut line = String::new();
        worker.output.read_line(&mut line).map_err(|error| failed(&error))?;
        match line.trim_end() {
            engine::READY => Ok(worker),
            other => Err(failed(&std::io::Error::other(format!("the engine did not start: {other}")))),
        }
    }

    /// Passes on to the host what it has said. What is told of the whole is completed by what only the first process may read.
    fn pass_on(&mut self, serial: &mut Serial) -> Result<()> {
        loop {
            let mut fds = [PollFd::new(self.output.get_ref().as_fd(), PollFlags::POLLIN)];
            let ready = !self.output.buffer().is_empty()
                || poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0);
            if !ready {
                return Ok(());
            }
            let mut line = Vec::new();
            let failed = |error: &std::io::Error| Failure::from_io("read", &[&"engine"], error);
            if self.output.read_until(b'\n', &mut line).map_err(|error| failed(&error))? == 0 {
                return Err(failed(&std::io::Error::other("the engine has gone")));
            }
            let message = match serde_json::from_slice(&line).map_err(|error| failed(&error.into()))? {
                FromGuest::Done(summed) => {
                    self.bring_out(serial)?;
                    FromGuest::Done(Summed { tainted: (self.tainted, tainted()), ..summed })
                }
                other => other,
            };
            serial.say(&message)?;
        }
    }

    /// Sends what processes have left that dumped core.
    fn bring_out(&self, serial: &mut Serial) -> Result<()> {
        let Some(nonce) = &self.cores else { return Ok(()) };
        for (name, bytes) in core::taken() {
            for piece in bytes.chunks(PIECE) {
                let (nonce, name) = (nonce.clone(), name.clone());
                serial.say(&FromGuest::Core { nonce, name, piece: text_of(piece) })?;
            }
        }
        Ok(())
    }
}

/// How much of a core dump is sent at a time.
const PIECE: usize = 64 << 10;

/// A cgroup of its own for each engine, below one that hands all controllers down: there it may limit its sandboxes. The first process goes
/// there itself, starts the engine, and leaves.
fn enter_cgroup(user: u32) {
    let above = format!("/sys/fs/cgroup/airtight-guest-{user}");
    let own = format!("{above}/runner");
    // A machine without the unified hierarchy has no such thing.
    if fs::create_dir(&above).is_err() {
        return;
    }
    hand_down(&above);
    let _ = fs::create_dir(&own);
    for path in [above.as_str(), own.as_str()] {
        for file in ["", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"] {
            let _ = std::os::unix::fs::chown(format!("{path}{file}"), Some(user), Some(user));
        }
    }
    let _ = fs::write(format!("{own}/cgroup.procs"), "0");
}

/// Does it as a member of the cgroup of root's engine, as who is started there is one.
pub(super) fn in_roots_cgroup<T>(what: impl FnOnce() -> T) -> T {
    let _ = fs::write("/sys/fs/cgroup/airtight-guest-0/runner/cgroup.procs", "0");
    let done = what();
    leave_cgroup();
    done
}

fn leave_cgroup() {
    let _ = fs::write("/sys/fs/cgroup/cgroup.procs", "0");
}
