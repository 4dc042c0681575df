//! `airtight diff`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, Loaded, end_cleanly_on_signals, load, named, run::cpus};
use crate::engine::{Engine, Keep, Listener, Options};
use crate::plan::{Choice, Plan};
use crate::report::diff::Diff;
use crate::report::matrix::Differences;
use crate::sandbox::{Nursery, Runtime};

/// Judge the claims of specs on two runtimes, and say only where these differ
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Compare {
    /// The first runtime
    one: String,
    /// The second
    other: String,
    /// Spec files, or folders of them [default: specs]
    specs: Vec<PathBuf>,
    /// Only claims whose sentence contains this, or matches it if it has a `*`
    #[arg(long = "claim", value_name = "PATTERN")]
    claims: Vec<String>,
    /// Only what has this tag
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Let claims that act do so even where no sandbox keeps the host from it (runtime `none`)
    #[arg(long)]
    allow_risky: bool,
    /// How many sandboxes to run side by side [default: the number of CPUs]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// How to tell what differs
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

/// The exit codes, which are those of diff(1) as far as it has any.
const HELP: &str = "Exit codes: 0 every claim that was measured on both came out the same; 1 some did not; 2 a spec or the \
command line is wrong; 3 no claim was measured on both; 4 something could be observed on neither; 130 interrupted.";

/// A report's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Pretty,
    /// One JSON object
    Json,
}

/// Does it.
pub(super) fn run(arguments: &Compare) -> Exit {
    try_run(arguments).unwrap_or_else(|exit| exit)
}

fn try_run(arguments: &Compare) -> Result<Exit, Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let both = [named::one(&arguments.one)?, named::one(&arguments.other)?];
    if both[0].name() == both[1].name() {
        return Err(Exit::Wrong.telling(&"a runtime does not differ from itself: name two"));
    }
    let plan = plan(arguments, both)?;
    let jobs = arguments.jobs.map_or_else(cpus, std::num::NonZeroUsize::get);
    let options = Options { jobs, required: Vec::new(), keep: Keep::usual(), share: true };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let mut listener = Diff::new(&plan, both.map(Runtime::name), arguments.format == Format::Json);
    engine.run(&plan, &mut listener);
    let exit = listener.matrix().and_then(Differences::of).map_or(Exit::Broken, |found| exit(&found));
    Ok(match listener.lost() {
        Some(error) => exit.or_broken().telling(&format!("what differs could not be written: {error}")),
        None => exit,
    })
}

fn plan(arguments: &Compare, both: [&'static dyn Runtime; 2]) -> Result<Plan, Exit> {
    let (claims, tags) = (arguments.claims.clone(), arguments.tags.clone());
    let allow_risky = arguments.allow_risky;
    let mut plan = Plan::new(Choice { claims, tags, runtimes: both.to_vec(), allow_risky });
    load(&arguments.specs, |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
    plan.check_names().map_err(|error| Exit::Wrong.telling(&error))?;
    if plan.entries.is_empty() {
        return Err(Exit::Wrong.telling(&"no claim is chosen: nothing would be compared"));
    }
    Ok(plan)
}

fn exit(found: &Differences<'_>) -> Exit {
    if !found.differing.is_empty() {
        Exit::Failed
    } else if found.broken > 0 {
        Exit::Broken
    } else if found.alike == 0 {
        Exit::Unmeasured
    } else {
        Exit::Held
    }
}
