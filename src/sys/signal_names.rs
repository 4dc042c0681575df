//! The names of signals, signal(7).

use std::str::FromStr;

use nix::sys::signal::Signal;

/// All names, in the order of their numbers on x86.
pub const SIGNALS: &[&str] = ENDINGS.split_at(2).1;

/// What ends a process: nothing, a signal from 32 on, which has no name, or one of the others.
pub const ENDINGS: &[&str] = &[
    "none",
    "real_time",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The number of the signal with this name.
pub fn signal_named(name: &str) -> Option<i32> {
    Signal::from_str(name).ok().map(|signal| signal as i32)
}

/// The name of a signal, `SIGKILL`; `signal 34` for a number that has none.
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{SIGNALS, signal_name, signal_named};

    #[test]
    fn every_name_has_its_number() {
        for name in SIGNALS {
            let number = signal_named(name).unwrap();
            assert_eq!(signal_name(number), *name);
        }
    }
}
