//! Further processes of an experiment.

use std::fmt::Debug;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, read, write};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::seen::{Prepares, Trouble};
use crate::sys::offspring::{Birth, Newborn, bear};
use crate::sys::{pipe, signal_name};

/// How long anything may take that takes no time.
const SOON: Duration = Duration::from_secs(3);

/// A line between two processes: one message is one packet.
#[derive(Debug)]
pub(super) struct Line(OwnedFd);

impl Line {
    fn pair() -> Result<(Self, Self), Trouble> {
        let ends = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        ends.map(|(one, other)| (Self(one), Self(other))).prepares("socketpair()")
    }

    /// Tells the other side.
    pub(super) fn say<T: Serialize>(&self, message: &T) -> Result<(), Trouble> {
        let text = serde_json::to_vec(message).map_err(|error| Trouble::new(error.to_string()))?;
        write(&self.0, &text).map(drop).prepares("write()")
    }

    /// Waits for what the other side tells.
    pub(super) fn hear<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        let mut buffer = vec![0; 16 << 10];
        let count = loop {
            match read(&self.0, &mut buffer) {
                Err(Errno::EINTR) => {}
                other => break other.prepares("read()")?,
            }
        };
        let told = serde_json::from_slice(&buffer[..count]);
        told.map_err(|_| Trouble::new("a process of the experiment ended before it could tell"))
    }

    /// Tells the other side to go on.
    pub(super) fn go(&self) -> Result<(), Trouble> {
        self.say(&())
    }

    /// Waits until the other side says so.
    pub(super) fn wait(&self) -> Result<(), Trouble> {
        self.hear()
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A child, with a line to it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    pub(super) line: Line,
}

impl Child {
    /// How it ended: `exit 0`, `SIGKILL`.
    pub(super) fn end(&self) -> Result<String, Trouble> {
        match waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::__WALL)).prepares("waitpid()")? {
            WaitStatus::Exited(_, status) => Ok(format!("exit {status}")),
            WaitStatus::Signaled(_, signal, _) => Ok(signal_name(signal as i32)),
            other => Err(Trouble::new(format!("{other:?}"))),
        }
    }

    /// Whether it ends soon; it is not waited for.
    pub(super) fn ends(&self) -> bool {
        pipe::wait(self.pidfd.as_fd(), PollFlags::POLLIN, Instant::now() + SOON).unwrap_or(false)
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: i32) -> Result<(), Trouble> {
        crate::sys::signals::kill(self.pid, signal).map_err(|failure| Trouble::new(failure.to_string()))
    }

    /// Kills it and waits for it.
    pub(super) fn kill(&self) -> Result<(), Trouble> {
        self.signal(libc::SIGKILL)?;
        self.end().map(drop)
    }
}

/// Starts a child with these `CLONE_*` flags.
pub(super) fn start(flags: i32, life: impl FnOnce(&Line) -> Result<(), Trouble>) -> Result<Child, Trouble> {
    let birth = Birth { flags: u64::from(flags.cast_unsigned()), ..Birth::default() };
    let (child, line) = begin(&birth, life)?;
    let Newborn { pid, pidfd } = child.prepares("clone3()")?;
    Ok(Child { pid, pidfd, line })
}

/// As [`start`], with all that clone3(2) can say, and with its failure told apart.
pub(super) fn begin(
    birth: &Birth<'_>,
    life: impl FnOnce(&Line) -> Result<(), Trouble>,
) -> Result<(nix::Result<Newborn>, Line), Trouble> {
    let (ours, theirs) = Line::pair()?;
    let (ours, child) = {
        let born = bear(birth, || {
            if let Err(Trouble(reason)) = life(&theirs) {
                // Whoever listens wants something else, and so takes it for trouble.
                let _ = theirs.say(&Lost { trouble: reason });
            }
        });
        (ours, born)
    };
    Ok((child, ours))
}

#[derive(Serialize)]
struct Lost {
    trouble: String,
}

/// What a child with these flags finds; it has ended when this returns.
pub(super) fn within<T: Serialize + DeserializeOwned + Debug>(
    flags: i32,
    act: impl FnOnce() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let child = start(flags, |line| line.say(&act()))?;
    let found: Result<Result<T, Trouble>, Trouble> = child.line.hear();
    child.end()?;
    found?
}

/// How a child that does this ends: `exit 0`, `SIGSYS`.
pub(super) fn ending(act: impl FnOnce() -> Result<(), Trouble>) -> Result<String, Trouble> {
    let child = start(0, |line| act().inspect_err(|trouble| drop(line.say(trouble))))?;
    child.end()
}

/// Tries again and again until it is so, for as long as anything may take.
pub(super) fn soon(mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + SOON;
    while !so() {
        if Instant::now() > deadline {
            return false;
        }
        pipe::pause(Duration::from_millis(1));
    }
    true
}
