//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1..) {
        Some([role, token]) if role == "agent" => airtight::agent::run(token),
        _ => ExitCode::FAILURE,
    }
}
