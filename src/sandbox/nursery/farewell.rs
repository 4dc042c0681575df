//! The end of the nursery, as the runner brings it about: asked for, waited for within bounds, and made up for where the
//! nursery has died before its time.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::orphans;
use crate::sandbox::command::{catalogue, end_asked};
use crate::sandbox::run_directory::RunDirectory;
use crate::sys::{Child, pipe};

/// How long the nursery may take to clear up. It takes longer only when it was stopped, or the kernel cannot end a process.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ends the nursery. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Farewell(Arc<Ending>);

#[derive(Debug)]
struct Ending {
    socket: OwnedFd,
    nursery: Child,
    run: Arc<RunDirectory>,
    once: Once,
}

impl Farewell {
    pub(super) fn new(socket: OwnedFd, nursery: Child, run: Arc<RunDirectory>) -> Self {
        Self(Arc::new(Ending { socket, nursery, run, once: Once::new() }))
    }

    /// The nursery's socket.
    pub(super) fn socket(&self) -> &OwnedFd {
        &self.0.socket
    }

    /// Ends the nursery and everything it made, and waits until that has been cleaned up; and what commands on the host have left behind, which
    /// were the runner's own children. Said twice, it is done once.
    pub fn say(&self) {
        self.0.once.call_once(|| {
            self.0.end();
            catalogue::end_forgotten_of(self.0.run.tag());
            end_asked();
        });
    }

    /// The same, with what the run has left with daemons, which nobody else will end, and then `last`; whoever says farewell meanwhile waits for that too.
    pub fn say_and(&self, last: impl FnOnce()) {
        self.0.once.call_once(|| {
            self.0.end();
            catalogue::end_all_of(self.0.run.tag());
            end_asked();
            last();
        });
    }
}

impl Ending {
    fn end(&self) {
        // To the nursery this is the end of the runner, as a SIGTERM is.
        if shutdown(self.socket.as_raw_fd(), Shutdown::Both).is_err() {
            self.signal(Signal::SIGTERM);
        }
        // A sandbox that shares the host's PID namespace can have stopped it.
        self.signal(Signal::SIGCONT);
        if !pipe::wait(self.nursery.pidfd.as_fd(), PollFlags::POLLIN, Instant::now() + PATIENCE)
            .unwrap_or(false)
        {
            self.signal(Signal::SIGKILL);
        }
        let status = waitpid(Pid::from_raw(self.nursery.pid), None);
        if !matches!(status, Ok(WaitStatus::Exited(_, 0))) {
            self.make_up_for_it();
        }
    }

    /// It has not been waited for yet, so that the PID is still its own.
    fn signal(&self, signal: Signal) {
        // It fails only for a process that is gone.
        let _ = kill(Pid::from_raw(self.nursery.pid), signal);
    }

    /// The first processes died with the nursery (`PR_SET_PDEATHSIG`); what else it made fell to the runner, which is the next
    /// subreaper above it (prctl(2), `PR_SET_CHILD_SUBREAPER`).
    fn make_up_for_it(&self) {
        orphans::kill_all_descendants();
        self.run.remove();
    }
}
