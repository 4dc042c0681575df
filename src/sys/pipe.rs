//! Reading and writing pipes and sockets against a deadline. Nothing else waits on a sandbox.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Failure, Result};

/// How much is read at a time. Most answers are far shorter; and from 64 KiB on the allocator tidies up with every buffer that is freed.
const CHUNK: usize = 16 << 10;

/// Makes the file description non-blocking, so that a peer that stops reading or writing cannot hold the host.
pub fn set_nonblocking(fd: &OwnedFd) -> Result<()> {
    let flags =
        fcntl(fd, FcntlArg::F_GETFL).map_err(|errno| Failure::new("fcntl", &[fd, &"F_GETFL"], errno))?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(fd, FcntlArg::F_SETFL(flags))
        .map(drop)
        .map_err(|errno| Failure::new("fcntl", &[fd, &"F_SETFL"], errno))
}

/// Appends what there is to `buffer` and returns how much; 0 at the stream's end, `None` when the deadline has passed.
pub fn read_before(fd: &OwnedFd, buffer: &mut Vec<u8>, deadline: Instant) -> Result<Option<usize>> {
    loop {
        if !wait(fd, PollFlags::POLLIN, deadline)? {
            return Ok(None);
        }
        buffer.reserve(CHUNK);
        match rustix::io::read(fd, rustix::buffer::spare_capacity(buffer)) {
            Ok(count) => return Ok(Some(count)),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(errno) => return Err(Failure::new("read", &[fd], Errno::from_raw(errno.raw_os_error()))),
        }
    }
}

/// Writes a part of `bytes` and returns how much; `None` when the deadline has passed. A closed peer is EPIPE: the host's
/// program ignores SIGPIPE, as Rust's runtime sets it.
pub fn write_before(fd: &OwnedFd, bytes: &[u8], deadline: Instant) -> Result<Option<usize>> {
    loop {
        if !wait(fd, PollFlags::POLLOUT, deadline)? {
            return Ok(None);
        }
        match nix::unistd::write(fd, bytes) {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(Failure::new("write", &[fd], errno)),
        }
    }
}

/// Whether the descriptor is ready (or has failed, which the next call on it tells) before the deadline.
pub fn wait(fd: impl AsFd, events: PollFlags, deadline: Instant) -> Result<bool> {
    loop {
        let expired = Instant::now() >= deadline;
        match poll(&mut [PollFd::new(fd.as_fd(), events)], until(deadline)) {
            Ok(0) if expired => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(Failure::new("poll", &[&fd.as_fd()], errno)),
        }
    }
}

/// A pause between two looks, of a millisecond at least: poll(2) with nothing to wait for. A signal makes it shorter.
pub fn pause(length: Duration) {
    let length = PollTimeout::try_from(length.as_millis().max(1)).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut [], length);
}

/// The time left, rounded up to a millisecond, so that the last fraction of one is not spent in a busy loop.
pub fn until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let milliseconds = left.as_nanos().div_ceil(1_000_000);
    i32::try_from(milliseconds)
        .ok()
        .and_then(|left| PollTimeout::try_from(left).ok())
        .unwrap_or(PollTimeout::MAX)
}
