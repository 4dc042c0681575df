//! `airtight run`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, Loaded, end_cleanly_on_signals, load};
use crate::engine::{Engine, Keep, Listener, Options};
use crate::plan::{Choice, Plan, check_required};
use crate::report::{Json, Pretty};
use crate::sandbox::{self, Nursery, Runtime};

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
    /// The runtimes to run on; `all` are all but `none`, which is no sandbox [default: what the spec names, else native].
    /// `exit-0`, `exit-1` and `liar` are no sandboxes either: they do nothing or lie, and no claim passes there
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
    let runtimes = runtimes(&arguments.runtime)?;
    let plan = plan(runtimes, arguments)?;
    let options = Options {
        jobs: arguments.jobs.map_or_else(cpus, std::num::NonZeroUsize::get),
        required: arguments.require.clone(),
        keep: Keep::usual(),
        share: !arguments.apart,
    };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let mut listener: Box<dyn Listener> = match arguments.format {
        Format::Pretty => Box::new(Pretty::new(&plan, engine.required().to_vec())),
        Format::Json => Box::new(Json::default()),
    };
    let summary = engine.run(&plan, listener.as_mut());
    let exit = Exit::of(&summary);
    Ok(match listener.lost() {
        Some(error) => exit.or_broken().telling(&format!("the report could not be written: {error}")),
        None => exit,
    })
}

fn plan(runtimes: Vec<&'static dyn Runtime>, arguments: &Run) -> Result<Plan, Exit> {
    let (claims, tags) = (arguments.claims.clone(), arguments.tags.clone());
    let mut plan = Plan::new(Choice { claims, tags, runtimes, allow_risky: arguments.allow_risky });
    load(&arguments.specs, |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
    plan.check_names().map_err(|error| Exit::Wrong.telling(&error))?;
    if plan.entries.is_empty() {
        return Err(Exit::Wrong.telling(&"no claim is chosen: nothing would be checked"));
    }
    Ok(plan)
}

/// The runtimes of these names. `none` is never meant unless it is named.
fn runtimes(names: &[String]) -> Result<Vec<&'static dyn Runtime>, Exit> {
    if names.iter().any(|name| name == "all") {
        let all = sandbox::names().into_iter().filter_map(|name| sandbox::by_name(&name));
        return Ok(all.filter(|runtime| runtime.isolates()).collect());
    }
    let pretender = |name: &String| {
        let mut all = sandbox::pretenders().into_iter().map(|(_, pretender)| pretender);
        all.find(|pretender| pretender.name() == name)
    };
    let find = |name: &String| {
        let unknown = || format!("unknown runtime `{name}`; there are {}", sandbox::names().join(", "));
        sandbox::by_name(name).or_else(|| pretender(name)).ok_or_else(|| Exit::Wrong.telling(&unknown()))
    };
    names.iter().map(find).collect()
}

pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
