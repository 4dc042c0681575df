//! Hidden roles: the program starts itself again to be something else. Every program that runs sandboxes asks first.

use std::process::ExitCode;

use crate::agent;

/// If the command line names a hidden role, performs it and gives its exit code; otherwise returns at once. To be called
/// first thing in `main`.
pub fn enter() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1..) {
        Some([role, token]) if role == agent::ROLE => Some(agent::run(token)),
        _ => None,
    }
}
