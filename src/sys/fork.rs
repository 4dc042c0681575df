//! Whether a process can have a child: fork(2), with a child that does nothing.
#![expect(unsafe_code, reason = "process creation is a raw call")]

use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// Makes a child that ends at once, and waits for it. In the C library's words rather than clone3(2)'s, which seccomp filters answer
/// with ENOSYS because they cannot look at its flags.
///
/// The caller must have a single thread.
pub fn fork_and_wait() -> nix::Result<()> {
    // SAFETY: the child has a copy of this memory, and does nothing but to end.
    match unsafe { libc::fork() } {
        // SAFETY: _exit(2) takes a plain number, and runs no code of this program.
        0 => unsafe { libc::_exit(0) },
        pid => {
            let pid = Errno::result(pid)?;
            match waitpid(Pid::from_raw(pid), None) {
                // As the first process of a PID namespace the caller reaps all its children in a signal handler.
                Err(Errno::ECHILD) => Ok(()),
                other => other.map(drop),
            }
        }
    }
}
