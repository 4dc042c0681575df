//! System V objects and POSIX message queues, which no crate here wraps.
#![expect(unsafe_code, reason = "these calls have no wrapper in the crates used here")]

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;

/// The permissions of what is made: everybody's, so that only a namespace can hide it.
const MODE: i32 = 0o666;

/// shmget(2): looks a segment up, or makes one of a page if it is missing.
pub fn shared_memory(key: i32, make: bool) -> nix::Result<()> {
    // A size of 0 fits every segment that is there; a new one needs some.
    let size = if make { 4096 } else { 0 };
    // SAFETY: the call takes three numbers.
    Errno::result(unsafe { libc::shmget(key, size, flags(make)) }).map(drop)
}

/// msgget(2): looks a message queue up, or makes it.
pub fn queue(key: i32, make: bool) -> nix::Result<()> {
    // SAFETY: the call takes two numbers.
    Errno::result(unsafe { libc::msgget(key, flags(make)) }).map(drop)
}

/// semget(2): looks a set of semaphores up, or makes one of one.
pub fn semaphores(key: i32, make: bool) -> nix::Result<()> {
    // SAFETY: the call takes three numbers.
    Errno::result(unsafe { libc::semget(key, i32::from(make), flags(make)) }).map(drop)
}

/// `mq_open(3)`: opens a POSIX message queue, or makes it, and closes it. The name begins with a slash.
pub fn posix_queue(name: &str, make: bool) -> nix::Result<()> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC | if make { libc::O_CREAT } else { 0 };
    let attributes = std::ptr::null_mut::<libc::mq_attr>();
    // SAFETY: the name outlives the call, which reads the mode and the attributes only with O_CREAT; none are given.
    let descriptor =
        Errno::result(unsafe { libc::mq_open(name.as_ptr(), flags, MODE.unsigned_abs(), attributes) })?;
    // SAFETY: on Linux a queue's descriptor is a file descriptor (mq_overview(7)); nobody else owns this new one.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    Ok(())
}

const fn flags(make: bool) -> i32 {
    if make { MODE | libc::IPC_CREAT } else { 0 }
}
