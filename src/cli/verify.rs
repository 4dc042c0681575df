//! `airtight verify`

use std::path::PathBuf;

use clap::Args;

use super::run::{Format, cpus};
use super::{Exit, Loaded, end_cleanly_on_signals, load, named};
use crate::engine::{Engine, Keep, Listener, Options};
use crate::plan::{Choice, Plan};
use crate::report::{Json, Pretty};
use crate::sandbox::{self, Attached, Nursery};

/// Judge the claims that only look on a container that runs already, and change nothing in it
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
pub(super) struct Target {
    /// The PID of its first process, as the host has it
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// Its runtime and its name there: `docker:web`, `runc:box`
    #[arg(long, value_name = "RUNTIME:NAME")]
    container: Option<String>,
}

/// `airtight verify …`
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Spec files, or folders of them [default: specs]
    specs: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Only claims whose sentence contains this, or matches it if it has a `*`
    #[arg(long = "claim", value_name = "PATTERN")]
    claims: Vec<String>,
    /// Only what has this tag
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// How to tell what became of the claims
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

/// Does it.
pub(super) fn run(arguments: &Verify) -> Exit {
    try_verify(arguments).unwrap_or_else(|exit| exit)
}

fn try_verify(arguments: &Verify) -> Result<Exit, Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let pid = pid(&arguments.target)?;
    let attached = Attached::to(pid).map_err(|failure| Exit::Broken.telling(&failure))?;
    // It lives as long as the program.
    let runtimes: Vec<&'static dyn sandbox::Runtime> = vec![Box::leak(Box::new(attached))];
    let (claims, tags) = (arguments.claims.clone(), arguments.tags.clone());
    let mut plan = Plan::new(Choice { claims, tags, runtimes, allow_risky: false });
    load(&arguments.specs, |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
    plan.check_names().map_err(|error| Exit::Wrong.telling(&error))?;
    if plan.entries.is_empty() {
        return Err(Exit::Wrong.telling(&"no claim is chosen: nothing would be checked"));
    }
    let options = Options { jobs: cpus(), required: Vec::new(), keep: Keep::usual(), share: false };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let mut listener: Box<dyn Listener> = match arguments.format {
        Format::Pretty => Box::new(Pretty::new(&plan, Vec::new())),
        Format::Json => Box::new(Json::default()),
    };
    let exit = Exit::of(&engine.run(&plan, listener.as_mut()));
    Ok(match listener.lost() {
        Some(error) => exit.or_broken().telling(&format!("the report could not be written: {error}")),
        None => exit,
    })
}

fn pid(target: &Target) -> Result<i32, Exit> {
    if let Some(pid) = target.pid {
        return Ok(pid);
    }
    let word = target.container.as_deref().unwrap_or_default();
    let how = || {
        Exit::Wrong.telling(&format!("`{word}` names no container: write `RUNTIME:NAME`, as `docker:web`"))
    };
    let (runtime, name) = word.split_once(':').ok_or_else(how)?;
    named::one(runtime)?.pid_of(name).map_err(|reason| Exit::Broken.telling(&format!("{word}: {reason}")))
}
