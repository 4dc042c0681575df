//! `airtight schema`

use super::Exit;
use crate::spec;

/// Prints it.
pub(super) fn run() -> Exit {
    match serde_json::to_string_pretty(&spec::schema()) {
        Ok(text) => {
            anstream::println!("{text}");
            Exit::Held
        }
        Err(error) => {
            anstream::eprintln!("error: {error}");
            Exit::Broken
        }
    }
}
