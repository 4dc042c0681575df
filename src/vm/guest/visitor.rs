//! The process that becomes the shell.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::sys::terminal;

/// The word on the command line that names this role.
pub(crate) const ROLE: &str = "airtight-role-visitor";

/// For people with a line that can be edited, if there is one.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// What a shell has that could not be started, as shells themselves say it.
const NOT_FOUND: u8 = 127;

/// Gains its terminal, if it has one, and executes the shell; commands on a pipe are for sh(1).
pub(crate) fn run() -> ExitCode {
    let stdin = std::io::stdin();
    let interactive = nix::unistd::isatty(&stdin).unwrap_or(false);
    if interactive && let Err(failure) = terminal::control(stdin.as_fd()) {
        eprintln!("airtight: {failure}");
    }
    let wanted = if interactive { SHELLS.as_slice() } else { &SHELLS[1..] };
    let shell = wanted.iter().find(|path| Path::new(path).exists()).unwrap_or(&SHELLS[1]);
    let error = Command::new(shell).exec();
    eprintln!("airtight: execve(\"{shell}\") failed: {error}");
    NOT_FOUND.into()
}
