//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    airtight::role::enter().unwrap_or_else(airtight::cli::main)
}
