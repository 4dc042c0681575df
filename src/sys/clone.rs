//! New processes: `clone3` with namespaces, and plain `fork`. Both only from a process with a single thread.
#![expect(unsafe_code, reason = "process creation is a raw system call")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::{Failure, Result};

/// Which side of a clone this is.
#[derive(Debug)]
pub enum Cloned {
    /// The new process.
    Child,
    /// The caller, with what it knows of the new process.
    Parent(Child),
}

/// A new process: its PID in the caller's PID namespace, and a pidfd that cannot come to mean another process.
#[derive(Debug)]
pub struct Child {
    /// The PID.
    pub pid: i32,
    /// The pidfd, close-on-exec.
    pub pidfd: OwnedFd,
}

/// `struct clone_args` of clone3(2), `CLONE_ARGS_SIZE_VER2`. A kernel that knows less of it takes it as long as the rest is 0.
#[repr(C)]
#[derive(Default)]
pub(super) struct CloneArgs {
    pub(super) flags: u64,
    pub(super) pidfd: u64,
    pub(super) child_tid: u64,
    pub(super) parent_tid: u64,
    pub(super) exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    pub(super) tls: u64,
    pub(super) set_tid: u64,
    pub(super) set_tid_size: u64,
    pub(super) cgroup: u64,
}

/// clone3(2) with these `CLONE_NEW*` flags; the child goes on with a copy of the caller's memory, as after fork(2).
///
/// The caller must have a single thread: the child has only the calling one, and locks that others held stay locked.
pub fn clone3(namespaces: u64) -> Result<Cloned> {
    clone_with(namespaces, false)
}

/// As [`clone3`], but the child's parent is the caller's own parent: who joins a PID namespace hands the process it makes
/// there to the nursery, which waits for it.
pub fn fork(for_parent: bool) -> Result<Cloned> {
    clone_with(0, for_parent)
}

fn clone_with(namespaces: u64, for_parent: bool) -> Result<Cloned> {
    let mut pidfd: RawFd = -1;
    let parent = if for_parent { libc::CLONE_PARENT as u64 } else { 0 };
    // With CLONE_PARENT the exit signal is the caller's own, and naming one is EINVAL (clone(2)).
    let exit_signal = if for_parent { 0 } else { libc::SIGCHLD as u64 };
    let mut args = CloneArgs {
        flags: namespaces | libc::CLONE_PIDFD as u64 | parent,
        pidfd: &raw mut pidfd as u64,
        exit_signal,
        ..CloneArgs::default()
    };
    // SAFETY: `args` is a valid `struct clone_args`, `pidfd` outlives the call, and without CLONE_VM and a stack the child
    // goes on with a copy of this stack.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    match result {
        -1 => Err(Failure::new("clone3", &[&Flags(namespaces)], Errno::last())),
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: the kernel has just stored a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent(Child { pid: i32::try_from(pid).unwrap_or(i32::MAX), pidfd }))
        }
    }
}

/// Shows namespace flags as a C programmer writes them.
struct Flags(u64);

impl std::fmt::Debug for Flags {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: [(i32, &str); 8] = [
            (libc::CLONE_NEWUSER, "CLONE_NEWUSER"),
            (libc::CLONE_NEWNS, "CLONE_NEWNS"),
            (libc::CLONE_NEWPID, "CLONE_NEWPID"),
            (libc::CLONE_NEWNET, "CLONE_NEWNET"),
            (libc::CLONE_NEWUTS, "CLONE_NEWUTS"),
            (libc::CLONE_NEWIPC, "CLONE_NEWIPC"),
            (libc::CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
            (libc::CLONE_NEWTIME, "CLONE_NEWTIME"),
        ];
        let set: Vec<&str> = names
            .iter()
            .filter(|(flag, _)| self.0 & u64::from(flag.unsigned_abs()) != 0)
            .map(|(_, name)| *name)
            .collect();
        formatter.write_str(if set.is_empty() { "0" } else { "" })?;
        formatter.write_str(&set.join("|"))
    }
}
