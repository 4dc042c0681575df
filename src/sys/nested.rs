//! Mounting in namespaces within namespaces: what an attacker tries who may make a user namespace.
#![expect(unsafe_code, reason = "process creation is a raw call")]

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, pipe, read, write};

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nested {
    /// It has no namespaces to mount in.
    NoNamespaces(Errno),
    /// It had namespaces; this is what mount(2) said.
    Mounted(nix::Result<()>),
}

/// A child makes a user namespace with all others, and its own child, the first of the PID namespace, mounts there. Both end at once, and
/// the namespaces with them. The mount has every flag that takes something
/// away, since the kernel refuses one that has fewer of them than what is there. Fails if the child cannot be made, or does not tell.
///
/// The caller must have a single thread.
pub fn mount_nested(kind: &str, target: &Path) -> nix::Result<Nested> {
    let (reader, writer) = pipe()?;
    in_child(|| match make_namespaces() {
        Err(errno) => tell(&writer, [b'n', errno]),
        Ok(()) => drop(in_child(|| tell(&writer, mounted(kind, target)))),
    })?;
    drop(writer);
    listen(&reader)
}

/// One byte for the stage, one for the errno, which are below 256 (include/uapi/asm-generic/errno.h).
type Told = [u8; 2];

fn make_namespaces() -> Result<(), u8> {
    let flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(flags).map_err(byte)
}

fn mounted(kind: &str, target: &Path) -> Told {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    match mount(Some("none"), target, Some(kind), flags, None::<&str>) {
        Ok(()) => [b'm', 0],
        Err(errno) => [b'm', byte(errno)],
    }
}

fn byte(errno: Errno) -> u8 {
    u8::try_from(errno as i32).unwrap_or(u8::MAX)
}

fn tell(writer: &OwnedFd, told: Told) {
    // If the pipe is broken nobody listens any more.
    let _ = write(writer, &told);
}

fn listen(reader: &OwnedFd) -> nix::Result<Nested> {
    let mut told = Told::default();
    // Two bytes are written, and so read, in one piece (pipe(7), PIPE_BUF); no bytes: the child died first.
    let count = loop {
        match read(reader.as_fd(), &mut told) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let errno = Errno::from_raw(told[1].into());
    match (count, told) {
        (2, [b'n', _]) => Ok(Nested::NoNamespaces(errno)),
        (2, [b'm', 0]) => Ok(Nested::Mounted(Ok(()))),
        (2, [b'm', _]) => Ok(Nested::Mounted(Err(errno))),
        _ => Err(Errno::ECHILD),
    }
}

/// Runs this in a child, and waits until it has ended. fork(3) rather than clone3(2), which seccomp filters answer with ENOSYS.
fn in_child(act: impl FnOnce()) -> nix::Result<()> {
    // SAFETY: the caller has a single thread, so that the child's copy of the memory is whole.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            act();
            super::exit_now(0)
        }
        // As the first process of a PID namespace the caller reaps all its children in a signal handler: ECHILD.
        ForkResult::Parent { child } => match waitpid(child, None) {
            Ok(_) | Err(Errno::ECHILD | Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        },
    }
}
