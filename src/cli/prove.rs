//! `airtight prove`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::run::cpus;
use super::{Exit, Loaded, end_cleanly_on_signals, load, prove_in_vm};
use crate::engine::{Ended, Engine, Keep, Options};
use crate::plan::{Choice, Plan};
use crate::prove::{self, Denied, Extent, Findings};
use crate::report::proof;
use crate::sandbox::Nursery;

/// Judge every claim again in sandboxes broken on purpose, and say what each of them catches
#[derive(Debug, Args)]
pub(super) struct Prove {
    /// Spec files, or folders of them [default: specs]
    pub(super) specs: Vec<PathBuf>,
    /// Only claims whose sentence contains this, or matches it if it has a `*`
    #[arg(long = "claim", value_name = "PATTERN")]
    pub(super) claims: Vec<String>,
    /// Only what has this tag
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// Prove in a VM with this kernel, by the airtight that is put there: what `airtight run` takes, but for the host's own. What is proven
    /// elsewhere is told at its end
    #[arg(long = "kernel", value_name = "KERNEL")]
    pub(super) kernels: Vec<String>,
    /// A list that names kernels
    #[arg(long = "kernels", value_name = "FILE")]
    pub(super) kernel_list: Option<PathBuf>,
    /// How far to go
    #[arg(long, value_enum, value_name = "HOW_FAR", default_value = "whole")]
    pub(super) extent: Extent,
    /// How many sandboxes to run side by side [default: eight for each CPU, since many only wait]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<std::num::NonZeroUsize>,
    /// How to tell what was found
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    pub(super) format: Format,
    /// What may not be found
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_value = "vacuous")]
    pub(super) deny: Vec<Denied>,
    /// The least share of breakages, in percent, that some claim must catch
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    pub(super) min_caught: u32,
}

/// A report's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Pretty,
    /// One JSON object with every claim under every breakage
    Json,
    /// Two tables for a document
    Markdown,
}

/// Does it.
/// `runtime_files` describe runtimes besides those that are known.
pub(super) fn run(arguments: &Prove, runtime_files: &[PathBuf]) -> ExitCode {
    if !arguments.kernels.is_empty() || arguments.kernel_list.is_some() {
        return prove_in_vm::on_each(arguments, runtime_files).unwrap_or_else(|exit| exit).into();
    }
    // Before the first thread.
    match prove::enter_quarantine() {
        Ok(Some(waited)) => waited,
        Ok(None) => try_run(arguments).unwrap_or_else(|exit| exit).into(),
        Err(failure) => Exit::Broken.telling(&format!("there is no quarantine to be had: {failure}")).into(),
    }
}

fn try_run(arguments: &Prove) -> Result<Exit, Exit> {
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let plan = plan(arguments)?;
    let jobs = arguments.jobs.map_or_else(|| 8 * cpus(), std::num::NonZeroUsize::get);
    let options = Options { jobs, required: Vec::new(), keep: Keep::Nothing, share: true };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let mut progress = proof::Line::new();
    let findings = prove::prove(&engine, &plan, arguments.extent, &mut progress);
    progress.clear();
    if let Some(breakage) = &findings.ruined {
        let why = "a claim killed the proof's own processes, as it would have killed the host's; nothing after that was judged";
        return Err(Exit::Broken.telling(&format!("{breakage}: {why}")));
    }
    let text = match arguments.format {
        Format::Pretty => proof::pretty(&findings),
        Format::Json => proof::json(&findings),
        Format::Markdown => proof::markdown(&findings),
    };
    // A reader that has gone has seen what it wanted.
    let _ = anstream::stdout().write_all(text.as_bytes());
    Ok(exit(&findings, arguments))
}

fn plan(arguments: &Prove) -> Result<Plan, Exit> {
    let (claims, tags) = (arguments.claims.clone(), arguments.tags.clone());
    let mut plan = Plan::new(Choice { claims, tags, ..Choice::default() });
    load(&arguments.specs, |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
    plan.check_names().map_err(|error| Exit::Wrong.telling(&error))?;
    if plan.entries.is_empty() {
        return Err(Exit::Wrong.telling(&"no claim is chosen: nothing would be proven"));
    }
    plan.leave_out_unbreakable();
    Ok(plan)
}

/// A claim that is red in a sound sandbox is worse than one that proves nothing.
fn exit(findings: &Findings, arguments: &Prove) -> Exit {
    let sound = |ended| findings.claims.iter().any(|claim| claim.sound == ended);
    let idle = arguments.deny.contains(&Denied::Vacuous) && !findings.idle.is_empty();
    let denied = findings.is_denied(&arguments.deny, arguments.min_caught);
    if sound(Ended::Failed) || sound(Ended::Crashed) || idle || denied {
        Exit::Failed
    } else if sound(Ended::Broken) {
        Exit::Broken
    } else if findings.claims.iter().all(|claim| claim.sound != Ended::Passed) {
        Exit::Unmeasured
    } else {
        Exit::Held
    }
}
