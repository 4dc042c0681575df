//! Whether what was started is QEMU, and does what QEMU does: connects, and does not end.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::budget::{Allowance, Budget};
use super::fate::{Fate, in_words};
use super::lines::LOOK;
use crate::sandbox::{Commanded, Process};
use crate::sys::pipe;

/// What QEMU may take until it connects: a hundred times what it takes.
const ALLOWED: Allowance = Allowance {
    word: Duration::from_secs(20),
    record: Duration::from_secs(20),
    idle: Duration::from_secs(10),
    said: usize::MAX,
};

/// How long is waited for what it says, once it has hung up.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How much is told of what it has said.
const TOLD: usize = 2000;

/// Waits for it to connect to a socket.
pub(super) fn accept(
    socket: &UnixListener,
    process: &Process,
    streams: &mut Commanded,
) -> Result<OwnedFd, Fate> {
    let failed = |error: &dyn std::fmt::Display| Fate::NotStarted(error.to_string());
    let mut budget = Budget::new(process.pid(), Some(ALLOWED));
    loop {
        let fds = &mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        // Interrupted or failed, the loop looks again.
        if poll(fds, PollTimeout::from(LOOK)).is_ok_and(|count| count > 0) {
            let (stream, _) = socket.accept().map_err(|error| failed(&error))?;
            let stream = OwnedFd::from(stream);
            pipe::set_nonblocking(&stream).map_err(|failure| failed(&failure))?;
            return Ok(stream);
        }
        streams.transfer();
        if process.is_over() {
            return Err(early(process, streams, "it ended before it had connected"));
        }
        if let Some(spent) = budget.spent() {
            return Err(early(process, streams, &format!("it does not connect: {spent}")));
        }
    }
}

/// Why it is of no use: what went wrong, how it has ended if it has, and what it said itself.
pub(super) fn early(process: &Process, streams: &mut Commanded, why: &str) -> Fate {
    let ended = streams.run(process, Instant::now() + LAST_WORDS);
    if let Some(failure) = process.failed() {
        return Fate::NotStarted(failure.to_string());
    }
    let ended = ended.map(|ended| format!("; it {}", in_words(ended))).unwrap_or_default();
    Fate::NotStarted(format!("{why}{ended}; {}", said(streams)))
}

/// The end of what it has said.
pub(super) fn said(streams: &Commanded) -> String {
    let [errors, output] = [streams.stderr(), streams.stdout()]
        .map(|stream| String::from_utf8_lossy(&stream.bytes).into_owned());
    let said = if errors.trim().is_empty() { output } else { errors };
    let said = said.trim();
    let from = said.char_indices().rev().nth(TOLD).map_or(0, |(at, _)| at);
    if said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {}", &said[from..]) }
}
