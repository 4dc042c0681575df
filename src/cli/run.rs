//! `airtight run`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, Loaded, end_cleanly_on_signals, load, named};
use crate::engine::{Engine, Keep, Listener, Options};
use crate::plan::{Choice, Plan, check_required};
use crate::report::file::{Files, Place};
use crate::report::matrix::SideBySide;
use crate::report::{All, Json, Pretty};
use crate::sandbox::{Nursery, Runtime};

/// Judge the claims of specs on real sandboxes
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Spec files, or folders of them [default: specs]
    specs: Vec<PathBuf>,
    /// Only claims whose sentence contains this, or matches it if it has a `*`
    #[arg(long = "claim", value_name = "PATTERN")]
    claims: Vec<String>,
    /// Only what has this tag
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The runtimes to run on, with commas or several times; `all` are those that are usable here [default: what the spec
    /// names, else native]. A spec that names runtimes itself is run on those of them that are asked for. What is no sandbox
    /// must be named: `none`; and `exit-0`, `exit-1` and `liar`, which do nothing or lie, so that no claim passes there.
    /// With several, the claims are told as a matrix
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    runtime: Vec<String>,
    /// Let claims that act do so even where no sandbox keeps the host from it (runtime `none`)
    #[arg(long)]
    allow_risky: bool,
    /// Judge each claim in sandboxes of its own, as if no two could share one: slower, and nothing else may differ
    #[arg(long)]
    apart: bool,
    /// How many sandboxes to run side by side [default: the number of CPUs]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// How to tell what became of the claims
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    /// Write a report of the whole run to a file, as well: `html`, one page for a browser, or `json`; may be given several
    /// times
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<Place>,
    /// Fail where this need is not met instead of skipping: a need's first word (`root`, `image`, `program`), the whole need,
    /// or `all`; `-NEED` takes one out again (`all,-unprivileged`); also from `AIRTIGHT_REQUIRE`
    #[arg(
        long,
        value_name = "NEED",
        value_delimiter = ',',
        env = "AIRTIGHT_REQUIRE",
        allow_hyphen_values = true
    )]
    require: Vec<String>,
}

/// A report's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Pretty,
    /// One JSON object a line
    Json,
}

/// Does it.
pub(super) fn run(arguments: &Run) -> Exit {
    try_run(arguments).unwrap_or_else(|exit| exit)
}

fn try_run(arguments: &Run) -> Result<Exit, Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    check_required(&arguments.require).map_err(|error| Exit::Wrong.telling(&error))?;
    let runtimes = named::all(&arguments.runtime, &nursery)?;
    let plan = plan(&runtimes, arguments)?;
    let options = Options {
        jobs: arguments.jobs.map_or_else(cpus, std::num::NonZeroUsize::get),
        required: arguments.require.clone(),
        keep: Keep::usual(),
        share: !arguments.apart,
    };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let mut listener = listener(arguments, &plan, &runtimes);
    let summary = engine.run(&plan, &mut listener);
    let exit = Exit::of(&summary);
    Ok(match listener.lost() {
        Some(error) => exit.or_broken().telling(&format!("the report could not be written: {error}")),
        None => exit,
    })
}

/// What is told on the terminal, and then the files.
fn listener(arguments: &Run, plan: &Plan, runtimes: &[&'static dyn Runtime]) -> All {
    let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.name()).collect();
    let told: Box<dyn Listener> = match arguments.format {
        Format::Pretty if names.len() > 1 => Box::new(SideBySide::new(plan, &names)),
        Format::Pretty => Box::new(Pretty::new(plan, arguments.require.clone())),
        Format::Json => Box::new(Json::default()),
    };
    let mut all = All(vec![told]);
    if !arguments.reports.is_empty() {
        all.0.push(Box::new(Files::new(plan, &names, arguments.reports.clone())));
    }
    all
}

fn plan(runtimes: &[&'static dyn Runtime], arguments: &Run) -> Result<Plan, Exit> {
    let (claims, tags) = (arguments.claims.clone(), arguments.tags.clone());
    let mut plan =
        Plan::new(Choice { claims, tags, runtimes: runtimes.to_vec(), allow_risky: arguments.allow_risky });
    load(&arguments.specs, |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
    plan.check_names().map_err(|error| Exit::Wrong.telling(&error))?;
    if plan.entries.is_empty() {
        return Err(Exit::Wrong.telling(&"no claim is chosen: nothing would be checked"));
    }
    Ok(plan)
}

pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
