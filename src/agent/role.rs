//! The hidden role of the program as an agent that a runtime executes in its sandbox.

use std::process::ExitCode;

use super::serve;

/// The word on the command line that names this role.
pub const ROLE: &str = "airtight-agent";

/// Serves standard input and output until the input ends; what goes wrong is said on standard error.
pub fn run(token: &str) -> ExitCode {
    // The lock of std's standard output would buffer by lines; each reply is written and flushed whole by itself.
    match serve(token, true, std::io::stdin(), std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("airtight agent: {error}");
            ExitCode::FAILURE
        }
    }
}
