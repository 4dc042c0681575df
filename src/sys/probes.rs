//! Single system calls in a form that does nothing but show whether they are permitted.
#![expect(unsafe_code, reason = "these calls have no wrapper in the crates used here")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// settimeofday(NULL, NULL): `security_settime64()` is asked, and then there is nothing to set (kernel/time/time.c).
pub fn settimeofday() -> nix::Result<()> {
    // SAFETY: null pointers are what the call takes for `not given`.
    let result = unsafe { libc::syscall(libc::SYS_settimeofday, 0_usize, 0_usize) };
    Errno::result(result).map(drop)
}

/// adjtimex of a tick of no length: `CAP_SYS_TIME` is looked for before the tick is (`timekeeping_validate_timex` in
/// kernel/time/timekeeping.c), which is then refused with EINVAL.
pub fn adjtimex() -> nix::Result<()> {
    // SAFETY: all zeroes is a valid `struct timex`.
    let mut wanted: libc::timex = unsafe { std::mem::zeroed() };
    wanted.modes = libc::ADJ_TICK;
    // SAFETY: the kernel reads and writes one `struct timex` through a valid reference.
    let result = unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut wanted) };
    Errno::result(result).map(drop)
}

/// reboot with wrong magic numbers: `CAP_SYS_BOOT` is looked for before them (kernel/reboot.c).
pub fn reboot() -> nix::Result<()> {
    // SAFETY: 0 is none of the magic numbers without which the call does nothing but return EINVAL, reboot(2).
    let result = unsafe { libc::syscall(libc::SYS_reboot, 0_usize, 0_usize, 0_usize, 0_usize) };
    Errno::result(result).map(drop)
}

/// `finit_module` of no file: `may_init_module()` is asked before the descriptor is looked at (kernel/module/main.c).
pub fn finit_module() -> nix::Result<()> {
    // SAFETY: the parameters are an empty string that lives for the whole program; there is no descriptor -1.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, -1_isize, c"".as_ptr(), 0_usize) };
    Errno::result(result).map(drop)
}

/// `kexec_load` of no segments: what was laid ready before is taken out, `kexec_load(2)`.
pub fn kexec_unload() -> nix::Result<()> {
    // SAFETY: there are no segments, whose place may be null then.
    let result = unsafe { libc::syscall(libc::SYS_kexec_load, 0_usize, 0_usize, 0_usize, 0_usize) };
    Errno::result(result).map(drop)
}

/// `open_by_handle_at` of a handle that names no file, on the file system of an open directory: `may_decode_fh()` is asked
/// before the handle is looked up (fs/fhandle.c).
pub fn open_by_handle(directory: BorrowedFd<'_>) -> nix::Result<()> {
    // struct file_handle: the number of bytes, the type FILEID_INO32_GEN, then inode 0 and generation 0, which nothing has.
    let handle: [u32; 4] = [8, 1, 0, 0];
    // SAFETY: the kernel reads 16 bytes of an array that outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_open_by_handle_at, directory.as_raw_fd(), handle.as_ptr(), libc::O_PATH)
    };
    close(result)
}

/// A BPF array map with one element of four bytes.
pub fn bpf() -> nix::Result<()> {
    const MAP_CREATE: usize = 0;
    const ARRAY: u32 = 2;
    // union bpf_attr for BPF_MAP_CREATE starts with type, key size, value size, number of entries; the rest is 0.
    let mut attributes = [0_u32; 16];
    attributes[..4].copy_from_slice(&[ARRAY, 4, 4, 1]);
    let size = size_of_val(&attributes);
    // SAFETY: the pointer and the size are those of an array that outlives the call, and the kernel only reads it.
    let result = unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attributes.as_ptr(), size) };
    close(result)
}

/// The software counter that never counts, in user mode: of a process (0 is the caller) or, with -1, of a processor.
pub fn perf_event_open(pid: i32, cpu: i32) -> nix::Result<()> {
    const SOFTWARE: u32 = 1;
    const DUMMY: u64 = 9;
    // The first version of struct perf_event_attr has 64 bytes: type and size, config, …; flags are the sixth word.
    const SIZE: u32 = 64;
    const DISABLED: u64 = 1;
    const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 1 << 5 | 1 << 6;
    let mut attributes = [0_u64; 8];
    attributes[0] = if cfg!(target_endian = "little") {
        u64::from(SIZE) << 32 | u64::from(SOFTWARE)
    } else {
        u64::from(SOFTWARE) << 32 | u64::from(SIZE)
    };
    attributes[1] = DUMMY;
    attributes[5] = DISABLED | EXCLUDE_KERNEL_AND_HYPERVISOR;
    // SAFETY: the pointer is that of an array of the size that it says in its second word, and outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), pid, cpu, -1_isize, 8_usize) };
    close(result)
}

/// A userfaultfd that handles the kernel's faults too.
pub fn userfaultfd() -> nix::Result<()> {
    // SAFETY: the call takes one integer.
    let result = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
    close(result)
}

/// An `io_uring` with one entry, which is never mapped or used.
pub fn io_uring_setup() -> nix::Result<()> {
    // struct io_uring_params has 120 bytes, which the kernel reads and writes.
    let mut parameters = [0_u64; 15];
    // SAFETY: the pointer is that of an array of that size, which outlives the call and is not otherwise used.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1_usize, parameters.as_mut_ptr()) };
    close(result)
}

/// Closes the descriptor that a call returned.
fn close(result: libc::c_long) -> nix::Result<()> {
    let number = Errno::result(result)?;
    let fd = i32::try_from(number).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}
