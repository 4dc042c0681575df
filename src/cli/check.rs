//! `airtight check`

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Loaded, load};

/// Read specs and say what is wrong with them, without running anything
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Spec files, or folders of them [default: specs]
    specs: Vec<PathBuf>,
}

/// Does it.
pub(super) fn run(arguments: &Check) -> Exit {
    let (mut specs, mut claims) = (0, 0);
    let counted = load(&arguments.specs, |Loaded { spec, .. }| {
        specs += 1;
        claims += spec.scenarios.iter().map(|scenario| scenario.claims.len()).sum::<usize>();
        Ok(())
    });
    if let Err(exit) = counted {
        return exit;
    }
    anstream::println!("{specs} specs with {claims} claims are well-formed");
    Exit::Held
}
