//! A system call by its number.
#![expect(unsafe_code, reason = "the call that a spec names is known only at run time")]

use nix::errno::Errno;

/// Makes the call with operands that are plain numbers. The caller keeps them to 32 bits.
pub fn call(number: i32, operands: [i64; 6]) -> nix::Result<i64> {
    let [a, b, c, d, e, f] = operands;
    // SAFETY: the operands are -1 or have 32 bits at most. A position-independent program, its heap, stacks and libraries
    // are mapped far above that on 64-bit Linux, so that no operand is an address of memory that Rust knows of; calls
    // that would end, copy or suspend the process are refused before.
    let result = unsafe { libc::syscall(number.into(), a, b, c, d, e, f) };
    Errno::result(result)
}
