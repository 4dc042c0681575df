//! `airtight check`

use std::path::PathBuf;

use clap::Args;

use super::{Exit, load};

/// Read specs and say what is wrong with them, without running anything
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Spec files, or folders of them [default: specs]
    specs: Vec<PathBuf>,
}

/// Does it.
pub(super) fn run(arguments: &Check) -> Exit {
    match load(&arguments.specs) {
        Ok(loaded) => {
            let scenarios = loaded.iter().flat_map(|loaded| &loaded.spec.scenarios);
            let claims: usize = scenarios.map(|scenario| scenario.claims.len()).sum();
            anstream::println!("{} specs with {claims} claims are well-formed", loaded.len());
            Exit::Held
        }
        Err(exit) => exit,
    }
}
