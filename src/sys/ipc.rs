//! System V shared memory segments, message queues and semaphore sets by their keys (sysvipc(7)), and POSIX message queues.
#![expect(
    unsafe_code,
    reason = "System V IPC has no wrapper in nix or rustix, and nix's mq_open passes no mode"
)]

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;

/// Who may what of the things made here: everyone, since what keeps a sandbox from them must not be their permissions.
const MODE: libc::c_int = 0o666;
const NEW: libc::c_int = libc::IPC_CREAT | libc::IPC_EXCL | MODE;

/// Makes a shared memory segment of one page: shmget(2).
pub fn make_memory(key: i32) -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::shmget(key, 4096, NEW) })
}

/// Makes a message queue: msgget(2).
pub fn make_queue(key: i32) -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::msgget(key, NEW) })
}

/// Makes a set of one semaphore: semget(2).
pub fn make_semaphores(key: i32) -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::semget(key, 1, NEW) })
}

/// The id of the shared memory segment with this key.
pub fn find_memory(key: i32) -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::shmget(key, 0, 0) })
}

/// The id of the message queue with this key.
pub fn find_queue(key: i32) -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::msgget(key, 0) })
}

/// The id of the semaphore set with this key.
pub fn find_semaphores(key: i32) -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::semget(key, 0, 0) })
}

/// Removes the shared memory segment with this key.
pub fn remove_memory(key: i32) -> nix::Result<()> {
    let id = find_memory(key)?;
    // SAFETY: IPC_RMID reads no buffer.
    Errno::result(unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// Removes the message queue with this key.
pub fn remove_queue(key: i32) -> nix::Result<()> {
    let id = find_queue(key)?;
    // SAFETY: IPC_RMID reads no buffer.
    Errno::result(unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// Removes the semaphore set with this key.
pub fn remove_semaphores(key: i32) -> nix::Result<()> {
    let id = find_semaphores(key)?;
    // SAFETY: IPC_RMID takes no further operand.
    Errno::result(unsafe { libc::semctl(id, 0, libc::IPC_RMID) }).map(drop)
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
