//! `airtight list`

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Loaded, load};
use crate::plan::{Choice, Plan, choose};

/// List the tests that specs make
#[derive(Debug, Args)]
pub(super) struct List {
    /// Spec files, or folders of them [default: specs]
    specs: Vec<PathBuf>,
    /// Only claims whose sentence contains this, or matches it if it has a `*`
    #[arg(long = "claim", value_name = "PATTERN")]
    claims: Vec<String>,
    /// Only what has this tag
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

/// Does it.
pub(super) fn run(arguments: &List) -> Exit {
    let loaded = match load(&arguments.specs) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let mut plan = Plan::default();
    for Loaded { spec, prefix } in &loaded {
        if let Err(error) = plan.add(spec, prefix, &[]) {
            anstream::eprintln!("error: {error}");
            return Exit::Wrong;
        }
    }
    let choice = Choice { claims: arguments.claims.clone(), tags: arguments.tags.clone() };
    for test in plan.tests.iter().filter(|test| choose(test, &choice)) {
        let skip = test.skip.as_ref().map(|skip| format!("  (skipped: {}: {})", skip.need, skip.reason));
        anstream::println!("{}{}", test.name, skip.unwrap_or_default());
    }
    Exit::Held
}
