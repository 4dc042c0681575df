//! Ways into the kernel that a seccomp filter may not look at: calls of other conventions, and flags of clone(2).
#![expect(unsafe_code, reason = "a call by another convention is made by its own instruction")]

use nix::errno::Errno;

/// clone(2) with namespaces, and with `CLONE_SIGHAND` but not `CLONE_VM`: the kernel refuses that pair with EINVAL before it looks at
/// anything else (`copy_process()` of kernel/fork.c), so that no child is ever made.
pub fn clone_no_child(namespaces: i32) -> nix::Result<()> {
    let flags = libc::c_long::from(namespaces | libc::CLONE_SIGHAND | libc::SIGCHLD);
    // SAFETY: the flags contradict each other, so that the call fails; there are no pointers.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    Errno::result(result).map(drop)
}

/// getpid(2) by the number that the x32 convention has for it: `__X32_SYSCALL_BIT` and 39.
#[cfg(target_arch = "x86_64")]
pub fn x32_getpid() -> nix::Result<()> {
    const GETPID: libc::c_long = 0x4000_0000 + 39;
    // SAFETY: the call takes no operands and touches no memory.
    let result = unsafe { libc::syscall(GETPID) };
    Errno::result(result).map(drop)
}

/// getpid(2) by `int $0x80`, as programs of 32 bits call it.
#[cfg(target_arch = "x86_64")]
pub fn i386_getpid() -> nix::Result<()> {
    let result: i64;
    // SAFETY: getpid takes no operands and touches no memory. Kernels before 4.17 clear r8 to r11.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") 20_i64 => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack),
        );
    }
    match i32::try_from(result) {
        Ok(errno @ -4095..=-1) => Err(Errno::from_raw(-errno)),
        _ => Ok(()),
    }
}
