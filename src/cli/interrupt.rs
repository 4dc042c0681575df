//! Ctrl-C and SIGTERM: everything that was made is ended before the runner is.

use std::os::fd::OwnedFd;

use crate::sandbox::Nursery;
use crate::sys::{Failure, Result, signals};

/// The exit code of a program that Ctrl-C has ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// From now on SIGINT and SIGTERM end the nursery, and with it every sandbox, before they end the runner.
pub(crate) fn end_cleanly_on_signals(nursery: &Nursery) -> Result<()> {
    let signalled = signals::termination()?;
    let farewell = nursery.farewell();
    let end = move || {
        wait(&signalled);
        anstream::eprintln!("\ninterrupted: ending the sandboxes");
        // Neither destructors nor other threads have anything left to do; one that says farewell too waits for this.
        farewell.say_and(|| crate::sys::exit_now(INTERRUPTED));
    };
    let thread = std::thread::Builder::new().spawn(end);
    thread.map(drop).map_err(|error| Failure::from_io("pthread_create", &[], &error))
}

fn wait(signalled: &OwnedFd) {
    let mut byte = [0];
    while nix::unistd::read(signalled, &mut byte) == Err(nix::errno::Errno::EINTR) {}
}
