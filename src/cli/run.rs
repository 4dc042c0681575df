//! `airtight run`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::partial::Partial;
use super::{Exit, Loaded, end_cleanly_telling, load, named, on_kernels};
use crate::engine::{Elsewhere, Engine, Keep, Listener, Options};
use crate::plan::{Choice, Column, Entry, Partition, Plan, check_required};
use crate::report::file::{self, Files, Place};
use crate::report::matrix::SideBySide;
use crate::report::{All, Json, Pretty};
use crate::sandbox::{Nursery, Runtime};
use crate::vm::Cgroups;
use crate::vm::fleet::{Fleet, Isolation, Watch};

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
    /// The kernels to run on, each in VMs of its own: a bzImage, a vmlinux, a Debian package, an unpacked package, a build tree, a glob,
    /// a name from --kernels; `host` is the one that runs here. May be given several times [default: host]
    #[arg(long = "kernel", value_name = "KERNEL")]
    kernels: Vec<String>,
    /// A list that names kernels; without --kernel all that it names are run on
    #[arg(long = "kernels", value_name = "FILE")]
    kernel_list: Option<PathBuf>,
    /// How cgroups are mounted in VMs of kernels of which the list does not say it [default: v2]
    #[arg(long, value_enum)]
    cgroups: Option<Cgroups>,
    /// What of a VM one scenario leaves to the next
    #[arg(long, value_enum, default_value_t = Isolation::Fresh)]
    isolation: Isolation,
    #[command(flatten)]
    watch: Watch,
    /// Let claims that act do so even where no sandbox keeps the host from it (runtime `none`)
    #[arg(long)]
    allow_risky: bool,
    /// Judge each claim in sandboxes of its own, as if no two could share one: slower, and nothing else may differ
    #[arg(long)]
    apart: bool,
    /// How many sandboxes to run side by side [default: the number of CPUs]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// Run every claim so many times, in VMs in a fresh one each time, and tell it once. One of which not always the same comes is red, with how
    /// often each came
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: std::num::NonZeroUsize,
    /// Exit as `git bisect run` wants it: 0 where every claim held, 1 where one failed or the kernel crashed, 125 where the kernel did not boot or
    /// something could not be observed, 128 where a spec or the command line is wrong
    #[arg(long = Run::BISECT)]
    bisect: bool,
    /// Only one of several parts, which machines can share: `2/3` is the second of three, as even as may be by the number of claims;
    /// `hash:2/3` keeps a scenario in its part when others are added. A scenario is never split, and the parts depend on nothing but the
    /// names of the tests. A part without any claim says so and is green; `airtight merge` misses a part that is not there
    #[arg(long, value_name = "N/M")]
    partition: Option<Partition>,
    /// How to tell what became of the claims
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    #[arg(long = "report", value_name = "FORMAT=FILE", help = file::help())]
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
pub(super) fn run(arguments: &Run) -> ExitCode {
    let exit = try_run(arguments).unwrap_or_else(|exit| exit);
    if arguments.bisect { exit.for_bisect().into() } else { exit.into() }
}

impl Run {
    const BISECT: &str = "bisect";

    /// Whether it is git that waits for the exit code of a command line that cannot be read.
    pub(super) fn wrong_for_bisect() -> bool {
        std::env::args_os()
            .any(|word| word.to_str().and_then(|word| word.strip_prefix("--")) == Some(Self::BISECT))
    }

    /// The kernels that are asked for, and the plan's tests on each of them.
    fn fleet(&self, plan: &mut Plan) -> Result<Option<Fleet>, Exit> {
        let found =
            on_kernels(plan, &self.kernels, self.kernel_list.as_deref(), self.isolation, self.cgroups);
        // A kernel that cannot be booted at all is no error where git gives one after another.
        let found = found.map_err(|exit| if self.bisect { Exit::Broken } else { exit })?;
        if found.is_none() && self.watch.is_asked() {
            let reason = "--keep-vm, --console and --gdb are for kernels in VMs: name one with --kernel";
            return Err(Exit::Wrong.telling(&reason));
        }
        Ok(found.map(|fleet| fleet.watched(self.watch.clone())))
    }

    fn jobs(&self) -> usize {
        // A person has one debugger at a time.
        if self.watch.gdb { 1 } else { self.jobs.map_or_else(cpus, std::num::NonZeroUsize::get) }
    }
}

fn try_run(arguments: &Run) -> Result<Exit, Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    let partial = Partial::default();
    end_cleanly_telling(&nursery, &partial).map_err(|error| Exit::Broken.telling(&error))?;
    check_required(&arguments.require).map_err(|error| Exit::Wrong.telling(&error))?;
    let runtimes = named::all(&arguments.runtime, &nursery)?;
    let mut plan = plan(&runtimes, arguments)?;
    let fleet = arguments.fleet(&mut plan)?;
    let columns = columns(&plan, &runtimes);
    let empty = leave_part(&mut plan, arguments.partition.as_ref());
    let options = Options {
        jobs: arguments.jobs(),
        required: arguments.require.clone(),
        keep: Keep::usual(),
        share: !arguments.apart,
    };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let engine = engine.repeating(arguments.repeat.get());
    let (told, files) = listeners(arguments, &plan, &columns);
    let mut listener = partial.tell(told, files, arguments.require.clone());
    let elsewhere = fleet.as_ref().map(|fleet| fleet as &dyn Elsewhere);
    let summary = engine.run_with(&plan, elsewhere, &mut listener);
    // VMs that scenarios have shared end before what makes processes does.
    drop(fleet);
    // There was something to measure in the other parts: the plan as a whole is not empty.
    let exit = if empty { Exit::Held } else { Exit::of(&summary) };
    Ok(match listener.lost() {
        Some(error) => exit.or_broken().telling(&format!("the report could not be written: {error}")),
        None => exit,
    })
}

/// The columns of the whole plan, whichever part of it is left. Runtimes are in the order in which they were asked for, also those that no
/// spec names; on other kernels each is there once for each kernel.
fn columns(plan: &Plan, runtimes: &[&'static dyn Runtime]) -> Vec<Column> {
    let elsewhere = plan.entries.iter().any(|entry| entry.kernel().is_some());
    let asked = runtimes.iter().filter(|_| !elsewhere).map(|runtime| Column::new(runtime.name(), None));
    let all: indexmap::IndexSet<Column> = asked.chain(plan.entries.iter().map(Entry::column)).collect();
    all.into_iter().collect()
}

/// What is told on the terminal, and the files.
fn listeners(arguments: &Run, plan: &Plan, columns: &[Column]) -> (All, All) {
    let told: Box<dyn Listener> = match arguments.format {
        Format::Pretty if columns.len() > 1 => Box::new(SideBySide::new(plan, columns)),
        Format::Pretty => Box::new(Pretty::new(plan, arguments.require.clone())),
        Format::Json => Box::new(Json::default()),
    };
    let mut files = All(Vec::new());
    if !arguments.reports.is_empty() {
        files.0.push(Box::new(Files::new(plan, columns, arguments.reports.clone())));
    }
    (All(vec![told]), files)
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

/// Whether nothing is left.
fn leave_part(plan: &mut Plan, partition: Option<&Partition>) -> bool {
    let Some(partition) = partition else { return false };
    plan.leave_part(partition);
    let empty = plan.entries.is_empty();
    if empty {
        anstream::eprintln!(
            "note: {partition} has no claim: there are fewer scenarios than parts, or hashes left it out"
        );
    }
    empty
}

pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
