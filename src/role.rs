//! The hidden roles: this program started again, as a process that does one thing under a confinement of its own.
//!
//! Whoever links airtight calls [`enter`] first thing in `main`, before any thread is started. A program that has not done so
//! is never started again: a test program would take the role's word for a filter and run its tests once more.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use crate::agent;
use crate::image::{guard, unpack};
use crate::vm;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Performs the hidden role that the first argument names, if it names one: the caller then exits with this code at once.
/// Must be called before the first thread is started, because namespaces are left by a whole process only.
pub fn enter() -> Option<ExitCode> {
    PROGRAM.get_or_init(|| PathBuf::from("/proc/self/exe"));
    let mut arguments = std::env::args_os().skip(1);
    let word = arguments.next();
    match word.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some(agent::ROLE) => Some(agent::run(&arguments.next().unwrap_or_default().to_string_lossy())),
        Some(unpack::WORD) => Some(unpack::play(arguments.next().as_deref())),
        Some(guard::WORD) => Some(guard::play(arguments)),
        Some(vm::INIT) => Some(vm::run_init(&arguments.next().unwrap_or_default().to_string_lossy())),
        Some(vm::KVM) => Some(vm::play_kvm()),
        Some(vm::CORE) => Some(vm::run_core(arguments)),
        Some(vm::ENGINE) => Some(vm::run_engine()),
        Some(vm::VISITOR) => Some(vm::run_visitor()),
        Some(vm::INSIDE) => Some(vm::run_inside(arguments)),
        _ => None,
    }
}

/// Names another program that plays the roles: for a test program, whose `main` is not its own. The first call counts.
pub fn play_with(program: impl Into<PathBuf>) {
    PROGRAM.get_or_init(|| program.into());
}

/// A command that plays the role `word`.
///
/// # Errors
/// Neither [`enter`] nor [`play_with`] was called in this process.
pub(crate) fn command(word: &str) -> Result<Command, String> {
    let program = PROGRAM
        .get()
        .ok_or_else(|| "this program does not call airtight::role::enter() in its main".to_owned())?;
    let mut command = Command::new(program);
    command.arg(word);
    Ok(command)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_that_plays_no_roles_is_not_started_again() {
        let error = super::command("airtight-role-unpack").unwrap_err();
        assert_eq!(error, "this program does not call airtight::role::enter() in its main");
    }
}
