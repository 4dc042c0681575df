//! A system call by its number.
#![expect(unsafe_code, reason = "the call that a spec names is known only at run time")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// How far open descriptors are looked for: the usual soft limit.
const DESCRIPTORS: RawFd = 1024;

/// Makes the call with operands that are plain numbers, which the caller keeps to 32 bits, and closes what it opened.
pub fn call(number: i32, operands: [i64; 6]) -> nix::Result<i64> {
    let before: Vec<bool> = (0..DESCRIPTORS).map(is_open).collect();
    let result = raw(number, operands);
    for fd in (0..DESCRIPTORS).zip(before).filter(|(fd, before)| !before && is_open(*fd)).map(|(fd, _)| fd) {
        // SAFETY: the call has just opened this descriptor in a process of one thread: nothing else owns it.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    result
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD takes a number and touches no memory.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

fn raw(number: i32, operands: [i64; 6]) -> nix::Result<i64> {
    let [first, second, third, fourth, fifth, sixth] = operands;
    // SAFETY: the operands are -1 or have 32 bits at most. A position-independent program, its heap, stacks and libraries
    // are mapped far above that on 64-bit Linux, so that no operand is an address of memory that Rust knows of; calls
    // that would end, copy or suspend the process are refused before.
    let result = unsafe { libc::syscall(number.into(), first, second, third, fourth, fifth, sixth) };
    Errno::result(result)
}
