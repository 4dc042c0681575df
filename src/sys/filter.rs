//! seccomp(2), with filters that an experiment has written itself.
#![expect(unsafe_code, reason = "the call has no wrapper in nix or rustix")]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use seccompiler::sock_filter;

/// What a filter that wants to be asked is told: `struct seccomp_notif`, as far as it is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// To be repeated in the answer.
    pub id: u64,
    /// Who calls, as the listener's PID namespace counts.
    pub pid: u32,
}

/// Installs a program as a filter; with `SECCOMP_FILTER_FLAG_TSYNC` among the flags the answer may be a thread's id.
pub fn install(program: &[sock_filter], flags: libc::c_ulong) -> nix::Result<i64> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the program has as many instructions as are told; the kernel only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    Errno::result(result)
}

/// Installs a program that asks its listener, which is given.
pub fn install_with_listener(program: &[sock_filter]) -> nix::Result<OwnedFd> {
    let number = install(program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: the kernel has just made it, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(number).unwrap_or(-1)) })
}

/// `SECCOMP_SET_MODE_STRICT`.
pub fn strict() -> nix::Result<()> {
    // SAFETY: the operation takes no operands.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_STRICT, 0_usize, 0_usize) };
    Errno::result(result).map(drop)
}

/// Waits until somebody calls what the filter asks about: `SECCOMP_IOCTL_NOTIF_RECV`.
pub fn asked(listener: &OwnedFd) -> nix::Result<Asked> {
    // struct seccomp_notif: id, pid, flags, struct seccomp_data of 64 bytes.
    let mut notice = [0_u8; 80];
    // SAFETY: the kernel writes 80 bytes at most to an array of that size.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, notice.as_mut_ptr()) };
    Errno::result(result)?;
    let (id, rest) = notice.split_first_chunk().ok_or(Errno::EIO)?;
    let pid = rest.first_chunk().ok_or(Errno::EIO)?;
    Ok(Asked { id: u64::from_ne_bytes(*id), pid: u32::from_ne_bytes(*pid) })
}

/// How a listener answers.
#[derive(Debug, Clone, Copy)]
pub enum Answered {
    /// The call returns this.
    Value(i64),
    /// It fails with this errno.
    Error(i32),
    /// It is made after all.
    Continue,
}

/// `SECCOMP_IOCTL_NOTIF_SEND`.
pub fn answer(listener: &OwnedFd, id: u64, with: Answered) -> nix::Result<()> {
    // struct seccomp_notif_resp: id, val, error, flags.
    let (value, error, flags): (i64, i32, u32) = match with {
        Answered::Value(value) => (value, 0, 0),
        Answered::Error(errno) => (0, -errno, 0),
        Answered::Continue => (0, 0, 1),
    };
    let mut response = [0_u8; 24];
    response[..8].copy_from_slice(&id.to_ne_bytes());
    response[8..16].copy_from_slice(&value.to_ne_bytes());
    response[16..20].copy_from_slice(&error.to_ne_bytes());
    response[20..].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: the kernel reads 24 bytes of an array of that size.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, response.as_ptr()) };
    Errno::result(result).map(drop)
}

/// `SECCOMP_IOCTL_NOTIF_ADDFD`: gives the caller a descriptor, and says which number it has there.
pub fn give_descriptor(listener: &OwnedFd, id: u64, file: &impl AsFd) -> nix::Result<i32> {
    // struct seccomp_notif_addfd: id, flags, srcfd, newfd, newfd_flags.
    let mut request = [0_u8; 24];
    request[..8].copy_from_slice(&id.to_ne_bytes());
    request[12..16].copy_from_slice(&file.as_fd().as_raw_fd().to_ne_bytes());
    // SAFETY: the kernel reads 24 bytes of an array of that size.
    let number =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, request.as_ptr()) };
    Errno::result(number)
}

/// getppid(2), getpid(2) and so on by the raw call, with operands that do nothing: what a filter made of it.
/// An error is the number as it is, which need not be that of an errno.
pub fn plain_call(number: i64) -> Result<i64, i32> {
    // SAFETY: callers name calls that take no operands.
    let result = unsafe { libc::syscall(number, 0_usize) };
    if result == -1 { Err(Errno::last_raw()) } else { Ok(result) }
}

/// `_exit` by the call that strict mode allows: `exit_group(2)`, which the C library uses, it does not.
pub fn exit_thread() -> ! {
    loop {
        // SAFETY: exit(2) ends the thread, and no code of this program runs after.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}
