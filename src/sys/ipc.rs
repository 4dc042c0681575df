//! System V shared memory segments, message queues and semaphore sets by their keys: sysvipc(7).
#![expect(unsafe_code, reason = "System V IPC has no wrapper in nix or rustix")]

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
