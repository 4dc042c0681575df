//! A VM of one CPU and one page, made with `/dev/kvm` and nothing else: how fast does it count?
//! Documentation/virt/kvm/api.rst.
#![expect(unsafe_code, reason = "KVM is ioctls and shared memory")]

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::time::Duration;

use nix::errno::Errno;

use super::{Failure, Result};

const DEVICE: &str = "/dev/kvm";

/// The requests, `include/uapi/linux/kvm.h` on x86.
const CREATE_VM: libc::c_ulong = 0xae01;
const GET_VCPU_MMAP_SIZE: libc::c_ulong = 0xae04;
const CREATE_VCPU: libc::c_ulong = 0xae41;
const SET_USER_MEMORY_REGION: libc::c_ulong = 0x4020_ae46;
const RUN: libc::c_ulong = 0xae80;
const SET_REGS: libc::c_ulong = 0x4090_ae82;
const GET_SREGS: libc::c_ulong = 0x8138_ae83;
const SET_SREGS: libc::c_ulong = 0x4138_ae84;

/// The beginning of `struct kvm_run`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Run {
    asked: [u8; 8],
    exit_reason: u32,
}

/// The reason of an exit that is wanted: `hlt`.
const EXIT_HLT: u32 = 5;

/// The page, and where the guest has it.
const PAGE: usize = 4096;
const PLACE: u64 = 0x1000;

/// `dec ecx; jnz` back; `hlt`, in the 16-bit mode in which a CPU begins.
const CODE: [u8; 5] = [0x66, 0x49, 0x75, 0xfc, 0xf4];

/// `struct kvm_userspace_memory_region`.
#[repr(C)]
struct Region {
    slot: u32,
    flags: u32,
    place: u64,
    size: u64,
    address: u64,
}

/// A VM that counts.
#[derive(Debug)]
pub struct Counter {
    cpu: OwnedFd,
    _vm: OwnedFd,
    run: NonNull<Run>,
}

impl Counter {
    /// Makes it. What it maps stays mapped: the process is there for nothing else.
    pub fn new() -> Result<Self> {
        let device = File::options().read(true).write(true).open(DEVICE);
        let device = device.map_err(|error| Failure::from_io("open", &[&DEVICE], &error))?;
        let vm = made(device.as_raw_fd(), CREATE_VM, "KVM_CREATE_VM")?;
        let page = map(-1, PAGE)?;
        // SAFETY: the page was mapped just now, is larger than the code, and nobody else knows of it.
        unsafe { page.copy_from_nonoverlapping(NonNull::from(&CODE).cast(), CODE.len()) };
        let region =
            Region { slot: 0, flags: 0, place: PLACE, size: PAGE as u64, address: page.as_ptr() as u64 };
        hand(
            &vm,
            SET_USER_MEMORY_REGION,
            (&raw const region).cast_mut().cast(),
            "KVM_SET_USER_MEMORY_REGION",
        )?;
        let cpu = made(vm.as_raw_fd(), CREATE_VCPU, "KVM_CREATE_VCPU")?;
        let size = plain(device.as_raw_fd(), GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE")?;
        let run = map(cpu.as_raw_fd(), usize::try_from(size).unwrap_or(0).max(PAGE))?;
        begin_at_zero(&cpu)?;
        Ok(Self { cpu, _vm: vm, run: run.cast() })
    }

    /// Counts down from there; whether it came to its end. A KVM that only seems to be one does not in any time that somebody would wait for;
    /// signals interrupt it.
    pub fn count(&mut self, loops: u32) -> Result<bool> {
        // `struct kvm_regs`: sixteen registers, of which the third is `rcx`; then `rip`; then `rflags`, of which one bit is always set.
        let mut registers = [0_u64; 18];
        (registers[2], registers[16], registers[17]) = (loops.into(), PLACE, 2);
        hand(&self.cpu, SET_REGS, registers.as_mut_ptr().cast(), "KVM_SET_REGS")?;
        plain(self.cpu.as_raw_fd(), RUN, "KVM_RUN")?;
        // SAFETY: the mapping of a CPU is a page at least, it is aligned, and the kernel writes to it during KVM_RUN only.
        let run = unsafe { self.run.read_volatile() };
        Ok(run.exit_reason == EXIT_HLT)
    }
}

/// Has the kernel end this process once it has computed so long, in a guest or for it: SIGPROF, which nobody handles.
pub fn end_after(computing: Duration) -> Result<()> {
    let none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let end = libc::timeval {
        tv_sec: i64::try_from(computing.as_secs()).unwrap_or(1),
        tv_usec: computing.subsec_micros().into(),
    };
    let timer = libc::itimerval { it_interval: none, it_value: end };
    // SAFETY: the kernel reads the one struct, and is given no place for the other.
    let set = unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()) };
    Errno::result(set).map(drop).map_err(|errno| Failure::new("setitimer", &[&"ITIMER_PROF"], errno))
}

/// The code segment of a CPU begins high in memory; here it begins at zero.
fn begin_at_zero(cpu: &OwnedFd) -> Result<()> {
    // `struct kvm_sregs`: the first in it is `cs`, with its base in 8 bytes, its limit in 4, its selector in 2.
    let mut registers = [0_u64; 39];
    hand(cpu, GET_SREGS, registers.as_mut_ptr().cast(), "KVM_GET_SREGS")?;
    registers[0] = 0;
    registers[1] &= !(0xffff << 32);
    hand(cpu, SET_SREGS, registers.as_mut_ptr().cast(), "KVM_SET_SREGS")
}

/// A request that gives a descriptor.
fn made(fd: RawFd, request: libc::c_ulong, name: &'static str) -> Result<OwnedFd> {
    let made = plain(fd, request, name)?;
    // SAFETY: the kernel has made this descriptor for the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

/// A request whose argument is 0.
fn plain(fd: RawFd, request: libc::c_ulong, name: &'static str) -> Result<RawFd> {
    // SAFETY: these requests take a number.
    let came = unsafe { libc::ioctl(fd, request, 0) };
    Errno::result(came).map_err(|errno| Failure::new("ioctl", &[&DEVICE, &name], errno))
}

/// A request with a struct of the size that is part of its number.
fn hand(fd: &OwnedFd, request: libc::c_ulong, with: *mut libc::c_void, name: &'static str) -> Result<()> {
    // SAFETY: each caller hands a struct of that size, which it may be written to where the request says so.
    let came = unsafe { libc::ioctl(fd.as_raw_fd(), request, with) };
    Errno::result(came).map(drop).map_err(|errno| Failure::new("ioctl", &[&DEVICE, &name], errno))
}

/// Memory that is shared with a CPU, or with a guest.
fn map(fd: RawFd, size: usize) -> Result<NonNull<u8>> {
    let flags = libc::MAP_SHARED | if fd < 0 { libc::MAP_ANONYMOUS } else { 0 };
    // SAFETY: the kernel chooses a place where nothing is.
    let mapped =
        unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
    let failed = || Failure::new("mmap", &[&DEVICE], Errno::last());
    if mapped == libc::MAP_FAILED { Err(failed()) } else { NonNull::new(mapped.cast()).ok_or_else(failed) }
}
