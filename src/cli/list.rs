//! `airtight list`

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Loaded, load};
use crate::plan::{Choice, Partition, Plan};

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
    /// Only this part of them: see `airtight run --help`
    #[arg(long, value_name = "N/M")]
    partition: Option<Partition>,
}

/// Does it.
pub(super) fn run(arguments: &List) -> Exit {
    let (claims, tags) = (arguments.claims.clone(), arguments.tags.clone());
    let mut plan = Plan::new(Choice { claims, tags, ..Choice::default() });
    if let Err(exit) = load(&arguments.specs, |Loaded { spec, prefix }| plan.add(&spec, &prefix)) {
        return exit;
    }
    if let Some(partition) = &arguments.partition {
        plan.leave_part(partition);
    }
    for entry in &plan.entries {
        let skip = entry.skip.as_ref().map(|skip| format!("  (skipped: {}: {})", skip.need, skip.reason));
        anstream::println!("{}{}", entry.name, skip.unwrap_or_default());
    }
    Exit::Held
}
