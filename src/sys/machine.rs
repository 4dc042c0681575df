//! The machine itself, of whose kernel this is the first process: its random numbers, its end.
#![expect(unsafe_code, reason = "ioctls of /dev/random and I/O ports have no wrapper")]

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::reboot::{RebootMode, reboot};

use super::{Failure, Result};

/// Where QEMU's isa-debug-exit listens.
const DEBUG_EXIT: u16 = 0x501;

/// What is written to it at a good end and at a bad one: QEMU exits with twice that and one, which no other end of a VM does.
pub const DONE: u8 = 21;
/// See [`DONE`].
pub const STUCK: u8 = 22;

/// `struct rand_pool_info` with its bytes, random(4).
#[repr(C)]
struct Pool {
    entropy: libc::c_int,
    size: libc::c_int,
    bytes: [u8; 64],
}

/// Mixes these bytes, the first 64 of them, into the kernel's random numbers, counts them as random, and has all that were made ahead made anew.
pub fn stir(seed: &[u8]) -> Result<()> {
    const ADD_ENTROPY: libc::c_ulong = 0x4008_5203;
    const RESEED: libc::c_ulong = 0x5207;
    let device = "/dev/random";
    let file = File::options().write(true).open(device);
    let file = file.map_err(|error| Failure::from_io("open", &[&device], &error))?;
    let mut pool = Pool { entropy: 256, size: 64, bytes: [0; 64] };
    pool.bytes.iter_mut().zip(seed).for_each(|(to, from)| *to = *from);
    // SAFETY: the kernel reads a `struct rand_pool_info` with as many bytes as it says.
    let added = unsafe { libc::ioctl(file.as_raw_fd(), ADD_ENTROPY, &raw const pool) };
    Errno::result(added).map_err(|errno| Failure::new("ioctl", &[&device, &"RNDADDENTROPY"], errno))?;
    // SAFETY: this request takes no argument. A kernel before 4.14 does not know it.
    let reseeded = unsafe { libc::ioctl(file.as_raw_fd(), RESEED) };
    Errno::result(reseeded)
        .map(drop)
        .map_err(|errno| Failure::new("ioctl", &[&device, &"RNDRESEEDCRNG"], errno))
}

/// Switches the machine off with this code, which QEMU's own exit code then tells. Under lockdown ports cannot be written to; then
/// it is switched off as any machine is.
pub fn switch_off(code: u8) -> ! {
    // SAFETY: the call takes plain numbers, and gives this process one port.
    if unsafe { libc::ioperm(DEBUG_EXIT.into(), 1, 1) } == 0 {
        out(DEBUG_EXIT, code);
    }
    // It returns only where it fails, and then the host ends the machine.
    let _ = reboot(RebootMode::RB_POWER_OFF);
    loop {
        nix::unistd::pause();
    }
}

#[cfg(target_arch = "x86_64")]
fn out(port: u16, value: u8) {
    // SAFETY: the process has been given the port; QEMU's device takes the byte, and the machine ends.
    unsafe {
        std::arch::asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags));
    };
}

#[cfg(not(target_arch = "x86_64"))]
fn out(_: u16, _: u8) {}
