//! The standard streams of processes in sandboxes: made, handed over, and read within bounds.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::pipe2;

use super::nursery::Process;
use crate::agent::Channel;
use crate::fact::Ended;
use crate::sys::{Failure, Result, pipe};

/// The most that is kept of one stream of a command. One that writes more is flooding.
const CAP: usize = 1 << 20;

/// Both ends of three pipes.
#[derive(Debug)]
pub(super) struct Streams {
    input: (OwnedFd, OwnedFd),
    output: (OwnedFd, OwnedFd),
    errors: (OwnedFd, OwnedFd),
}

impl Streams {
    pub(super) fn new() -> Result<Self> {
        let make = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| Failure::new("pipe2", &[], errno));
        Ok(Self { input: make()?, output: make()?, errors: make()? })
    }

    /// The inside's ends: standard input, output, error.
    pub(super) fn inside(&self) -> [RawFd; 3] {
        [self.input.0.as_raw_fd(), self.output.1.as_raw_fd(), self.errors.1.as_raw_fd()]
    }

    /// The host's ends for an agent, and its standard error.
    pub(super) fn into_channel(self, token: String) -> Result<(Channel, OwnedFd)> {
        let channel = Channel::new(self.input.1, self.output.0, token)?;
        pipe::set_nonblocking(&self.errors.0)?;
        Ok((channel, self.errors.0))
    }

    /// The host's ends for a command.
    pub(super) fn into_command(self, stdin: &str) -> Result<Commanded> {
        for end in [&self.input.1, &self.output.0, &self.errors.0] {
            pipe::set_nonblocking(end)?;
        }
        Ok(Commanded {
            stdin: Some((self.input.1, stdin.as_bytes().to_vec())),
            stdout: Stream { fd: Some(self.output.0), captured: Captured::default() },
            stderr: Stream { fd: Some(self.errors.0), captured: Captured::default() },
        })
    }
}

/// The host's ends of a command's streams, and what has come through them.
#[derive(Debug)]
pub struct Commanded {
    stdin: Option<(OwnedFd, Vec<u8>)>,
    stdout: Stream,
    stderr: Stream,
}

#[derive(Debug)]
struct Stream {
    fd: Option<OwnedFd>,
    captured: Captured,
}

/// What came through a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first MiB of it.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub flooded: bool,
}

impl Commanded {
    /// Feeds and reads the streams until the process has ended, one of them floods, or the deadline has passed. What the
    /// process wrote is all there once it has ended; children that hold the pipes are not waited for.
    pub fn run(&mut self, process: &Process, deadline: Instant) -> Option<Ended> {
        while !process.is_over() && !self.flooded() && Instant::now() < deadline {
            self.wait(process, deadline);
            self.transfer();
        }
        self.transfer();
        process.ended()
    }

    /// Whether one of the streams carried more than is kept.
    pub const fn flooded(&self) -> bool {
        self.stdout.captured.flooded || self.stderr.captured.flooded
    }

    /// What has come on standard output so far.
    pub const fn stdout(&self) -> &Captured {
        &self.stdout.captured
    }

    /// What has come on standard error so far.
    pub const fn stderr(&self) -> &Captured {
        &self.stderr.captured
    }

    /// Moves what can be moved without waiting.
    pub fn transfer(&mut self) {
        self.feed();
        self.stdout.read();
        self.stderr.read();
    }

    fn feed(&mut self) {
        let Some((fd, rest)) = &mut self.stdin else { return };
        while !rest.is_empty() {
            match nix::unistd::write(&*fd, rest) {
                Ok(count) => drop(rest.drain(..count)),
                Err(nix::errno::Errno::EAGAIN) => return,
                // Nobody reads it.
                Err(_) => break,
            }
        }
        self.stdin = None;
    }

    fn wait(&self, process: &Process, deadline: Instant) {
        let mut fds = vec![PollFd::new(process.report().as_fd(), PollFlags::POLLIN)];
        fds.extend(self.stdin.iter().map(|(fd, _)| PollFd::new(fd.as_fd(), PollFlags::POLLOUT)));
        let open = [&self.stdout, &self.stderr].into_iter().filter_map(|stream| stream.fd.as_ref());
        fds.extend(open.map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        // Interrupted or failed, the loop looks again.
        let _ = poll(&mut fds, pipe::until(deadline));
    }
}

impl Stream {
    fn read(&mut self) {
        let mut chunk = [0; 16 << 10];
        while let Some(fd) = &self.fd {
            match nix::unistd::read(fd, &mut chunk) {
                Ok(0) => self.fd = None,
                Ok(count) => self.keep(chunk.get(..count).unwrap_or_default()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => return,
                Err(_) => self.fd = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = CAP - self.captured.bytes.len();
        self.captured.bytes.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        if bytes.len() > room {
            self.captured.flooded = true;
            self.fd = None;
        }
    }
}

/// What is in a non-blocking pipe right now, as text.
pub(super) fn drain(fd: &OwnedFd) -> String {
    let mut bytes = vec![0; 16 << 10];
    let count = nix::unistd::read(fd, &mut bytes).unwrap_or(0);
    bytes.truncate(count);
    String::from_utf8_lossy(&bytes).into_owned()
}
