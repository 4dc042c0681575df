//! Ctrl-C and SIGTERM: everything that was made is ended before the runner is.

use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::partial::{Interrupted, Partial};
use crate::sandbox::Nursery;
use crate::sys::{Failure, Result, signals, terminal};

/// The exit code of a program that Ctrl-C has ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// How long what is known may take to be told: whoever reads it may never read on.
const PATIENCE: Duration = Duration::from_secs(2);

/// From now on SIGINT and SIGTERM end the nursery, and with it every sandbox, before they end the runner.
pub(crate) fn end_cleanly_on_signals(nursery: &Nursery) -> Result<()> {
    end_cleanly_telling(nursery, &Partial::default())
}

/// The same, and what is known by then is told.
pub(super) fn end_cleanly_telling(nursery: &Nursery, partial: &Partial) -> Result<()> {
    let signalled = signals::termination()?;
    let farewell = nursery.farewell();
    let partial = partial.clone();
    let end = move || {
        wait(&signalled);
        anstream::eprintln!("\ninterrupted: ending the sandboxes");
        let interrupted = partial.interrupt();
        // Neither destructors nor other threads have anything left to do; one that says farewell too waits for this.
        farewell.say_and(|| {
            terminal::restore();
            if let Some(interrupted) = interrupted {
                tell_in_time(interrupted);
            }
            crate::sys::exit_now(INTERRUPTED);
        });
    };
    let thread = std::thread::Builder::new().spawn(end);
    thread.map(drop).map_err(|error| Failure::from_io("pthread_create", &[], &error))
}

fn tell_in_time(interrupted: Interrupted) {
    let (done, told) = channel();
    let tell = move || {
        interrupted.tell();
        let _ = done.send(());
    };
    if std::thread::Builder::new().spawn(tell).is_ok() {
        let _ = told.recv_timeout(PATIENCE);
    }
}

fn wait(signalled: &OwnedFd) {
    let mut byte = [0];
    while nix::unistd::read(signalled, &mut byte) == Err(nix::errno::Errno::EINTR) {}
}
