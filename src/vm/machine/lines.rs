//! The host's ends of the two serial ports: what the kernel says, and the records.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::console::Console;
use super::echo::Echo;
use crate::sys::pipe;
use crate::vm::wire::{FromGuest, Reader, ToGuest, Writer};

/// How often is looked whether a VM that says nothing, or takes nothing in, still computes.
pub(super) const LOOK: u16 = 250;

/// How often is read at one look.
const MOST: usize = 64;

/// Both lines, with what has come on them.
#[derive(Debug)]
pub(in crate::vm) struct Lines {
    console: OwnedFd,
    results: OwnedFd,
    text: Console,
    echo: Option<Echo>,
    reader: Reader,
    writer: Writer,
}

/// What a look at the lines has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vm) struct Look {
    /// How much the kernel has said, in bytes.
    pub(in crate::vm) said: usize,
    /// There may be more.
    pub(in crate::vm) goes_on: bool,
    /// There is something on the descriptor that was looked at too.
    pub(in crate::vm) other: bool,
}

impl Lines {
    /// `spoken` is how many records the guest has written before.
    pub(in crate::vm) fn new(console: OwnedFd, results: OwnedFd, spoken: u32) -> Self {
        let reader = Reader::after(spoken);
        Self { console, results, text: Console::default(), echo: None, reader, writer: Writer::default() }
    }

    /// The same, and what the kernel says is told at once.
    pub(in crate::vm) fn echoing(self, echo: Option<Echo>) -> Self {
        Self { echo, ..self }
    }

    /// What the kernel has said.
    pub(in crate::vm) const fn text(&self) -> &Console {
        &self.text
    }

    /// How many records the guest has written.
    pub(in crate::vm) const fn spoken(&self) -> u32 {
        self.reader.last()
    }

    /// The next record for the guest.
    pub(in crate::vm) fn record(&mut self, message: &ToGuest) -> Result<Vec<u8>, String> {
        self.writer.record(message).map_err(|error| error.to_string())
    }

    /// Writes a part of it; nothing if nothing is taken in now, and an error where nobody is there.
    pub(in crate::vm) fn write(&self, bytes: &[u8]) -> Result<usize, String> {
        let deadline = Instant::now() + Duration::from_millis(LOOK.into());
        let written = pipe::write_before(&self.results, bytes, deadline);
        written.map(Option::unwrap_or_default).map_err(|failure| failure.to_string())
    }

    /// The next message, or what is wrong with what came in its place.
    pub(in crate::vm) fn next(&mut self) -> Option<Result<FromGuest, String>> {
        self.reader.next()
    }

    /// Waits a little while, and takes in what has come on either line.
    #[cfg(test)]
    pub(in crate::vm) fn listen(&mut self) -> Look {
        self.listen_beside(None)
    }

    /// The same, and looks whether there is something on another descriptor.
    pub(in crate::vm) fn listen_beside(&mut self, other: Option<BorrowedFd<'_>>) -> Look {
        let both = [self.results.as_fd(), self.console.as_fd()];
        let mut fds: Vec<PollFd<'_>> =
            both.into_iter().chain(other).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Interrupted or failed, the caller looks again.
        let _ = poll(&mut fds, PollTimeout::from(LOOK));
        let ready = |at: usize| fds.get(at).is_some_and(|fd| fd.any().unwrap_or(false));
        let [results, console, other] = [0, 1, 2].map(ready);
        let mut look = Look { said: 0, goes_on: true, other };
        if console {
            // The kernel's words first, and all of them: what it has said before a verdict is known when that is.
            let before = self.text.len();
            self.drain_console();
            look.said = self.text.len() - before;
        }
        if results {
            match read(&self.results) {
                Some(bytes) if !bytes.is_empty() => self.reader.feed(&bytes),
                // The console's end is that of the results too.
                _ => look.goes_on = false,
            }
        }
        look
    }

    /// Takes in what is there of the console: more than its socket holds only from one that never falls silent.
    pub(in crate::vm) fn drain_console(&mut self) {
        for _ in 0..MOST {
            match read(&self.console).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => self.feed(&bytes),
                None => return,
            }
        }
    }
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) {
        self.text.feed(bytes);
        if let Some(echo) = &mut self.echo {
            echo.feed(bytes);
        }
    }
}

/// What is there just now; empty at the end, nothing where there is none yet.
fn read(fd: &OwnedFd) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64 << 10];
    let count = nix::unistd::read(fd, &mut bytes).ok()?;
    bytes.truncate(count);
    Some(bytes)
}
