//! Specs as tests: a test program of another crate is this one line, with `harness = false` in its `Cargo.toml`.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     airtight::harness::run("specs")
//! }
//! ```
//!
//! It takes libtest's options through libtest-mimic, which also says what it does not do; `cargo test NAME`, `--exact`, `--list`,
//! `--skip` and cargo-nextest work. A claim that is skipped or not measured is an ignored test with the reason. Unlike libtest's own,
//! a run that was asked for tests and measured none of them fails.
//!
//! With `AIRTIGHT_KERNELS` (a list of kernels, or kernels with commas, of which `host` is one) each claim is a test on each of those kernels.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};

use crate::cli::{Exit, Loaded, end_cleanly_on_signals, load, on_kernels_of_environment};
use crate::engine::{Elsewhere, Engine, Event, Keep, Listener, Options, Outcome};
use crate::plan::{Entry, Plan, Skip, Test, check_required};
use crate::report;
use crate::sandbox::Nursery;

/// Runs the specs below a folder as tests, by the command line. The folder is relative to the crate, where cargo and nextest
/// run its tests.
pub fn run(specs: impl AsRef<Path>) -> ExitCode {
    // An agent, or another hidden role, is this very program.
    crate::role::enter().unwrap_or_else(|| try_run(specs.as_ref()).unwrap_or_else(ExitCode::from))
}

fn try_run(specs: &Path) -> Result<ExitCode, Exit> {
    let arguments = Arguments::from_args();
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let required = required();
    check_required(&required).map_err(|error| Exit::Wrong.telling(&error))?;
    let mut plan = plan(specs, &arguments)?;
    let fleet = on_kernels_of_environment(&mut plan)?;
    let slots = Arc::new(Slots::default());
    let mut trials: Vec<Trial> = plan.entries.iter().map(|entry| trial(entry, &slots, &required)).collect();
    if arguments.list {
        trials = trials
            .into_iter()
            .zip(&plan.entries)
            .map(|(trial, entry)| marked(trial, entry, &required))
            .collect();
    }
    trials.sort_by(|one, other| one.name().cmp(other.name()));
    let chosen: HashSet<String> =
        trials.iter().filter(|trial| runs(&arguments, trial)).map(|trial| trial.name().to_owned()).collect();
    plan.entries.retain(|entry| chosen.contains(&entry.name));
    let options = Options { jobs: jobs(&arguments), required, keep: Keep::usual(), share: true };
    let engine = Engine::new(nursery, options).map_err(|error| Exit::Broken.telling(&error))?;
    let elsewhere = fleet.as_ref().map(|fleet| fleet as &dyn Elsewhere);
    let conclusion = std::thread::scope(|scope| {
        let run = || engine.run_with(&plan, elsewhere, &mut Filling(Arc::clone(&slots)));
        let thread = std::thread::Builder::new().spawn_scoped(scope, run);
        thread.map(|_| libtest_mimic::run(&arguments, trials))
    });
    let conclusion = conclusion.map_err(|error| Exit::Broken.telling(&error))?;
    Ok(verdict(&arguments, &conclusion))
}

/// Nothing is run where tests are only listed, or where libtest would not run them.
fn runs(arguments: &Arguments, trial: &Trial) -> bool {
    !arguments.list && !arguments.ignored && !arguments.is_filtered_out(trial)
}

/// A run that measured nothing is red, unless it was asked for one single test by its exact name: then whoever asked, as nextest
/// does, adds up.
fn verdict(arguments: &Arguments, conclusion: &Conclusion) -> ExitCode {
    if arguments.list || conclusion.has_failed() {
        return conclusion.exit_code();
    }
    if conclusion.num_passed == 0 && conclusion.num_ignored > 0 && !arguments.exact && !arguments.ignored {
        anstream::eprintln!(
            "error: {} claims were chosen, and none of them was measured",
            conclusion.num_ignored
        );
        return Exit::Unmeasured.into();
    }
    ExitCode::SUCCESS
}

fn plan(specs: &Path, arguments: &Arguments) -> Result<Plan, Exit> {
    let mut plan = Plan::default();
    load_wanted(specs, arguments, &mut plan)?;
    plan.check_names().map_err(|error| Exit::Wrong.telling(&error))?;
    Ok(plan)
}

/// A test that is asked for by its exact name costs only its own spec.
fn load_wanted(specs: &Path, arguments: &Arguments, plan: &mut Plan) -> Result<(), Exit> {
    let name = arguments.filter.as_ref().filter(|_| arguments.exact);
    let Some(prefix) = name.and_then(|name| name.split("::").next()) else {
        return load(&[specs.to_owned()], |Loaded { spec, prefix }| plan.add(&spec, &prefix));
    };
    let candidates =
        ["yaml", "yml"].map(|ending| PathBuf::from(format!("{}/{prefix}.{ending}", specs.display())));
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(path) => load(&[path], |Loaded { spec, .. }| plan.add(&spec, prefix)),
        // Another test program of the crate has it.
        None => Ok(()),
    }
}

fn trial(entry: &Entry, slots: &Arc<Slots>, required: &[String]) -> Trial {
    let (name, slots, required) = (entry.name.clone(), Arc::clone(slots), required.to_vec());
    Trial::ignorable_test(entry.name.clone(), move || match slots.wait_for(&name) {
        Told::Passed => Ok(Completion::Completed),
        Told::Ignored(skip) if skip.is_required(&required) => {
            Err(Failed::from(format!("required, but skipped: {}: {}", skip.need, skip.reason)))
        }
        Told::Ignored(skip) => Ok(Completion::ignored_with(format!("{}: {}", skip.need, skip.reason))),
        // What is given is no need: nothing can require it.
        Told::NotMeasured(reason) => Ok(Completion::ignored_with(format!("not measured: {reason}"))),
        Told::Red(text) => Err(Failed::from(text)),
    })
}

/// In a list, a claim that is known to be skipped is an ignored test, so that nextest, which takes a test that says while it
/// runs that it is to be ignored for one that passed, counts it as skipped. In a run it says so itself, with its reason.
fn marked(trial: Trial, entry: &Entry, required: &[String]) -> Trial {
    let skipped = entry.skip.as_ref().is_some_and(|skip| !skip.is_required(required));
    trial.with_ignored_flag(skipped)
}

/// What a test's trial is told.
#[derive(Debug)]
enum Told {
    Passed,
    Ignored(Skip),
    NotMeasured(String),
    Red(String),
}

/// Outcomes by test, put there by the engine and taken by the trials.
#[derive(Debug, Default)]
struct Slots {
    tellings: Mutex<Tellings>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Tellings {
    by_name: HashMap<String, Told>,
    /// The engine tells nothing more.
    over: bool,
}

impl Slots {
    /// The engine tells something of every test, in bounded time.
    fn wait_for(&self, name: &str) -> Told {
        let mut tellings = self.lock();
        loop {
            match tellings.by_name.remove(name) {
                Some(told) => return told,
                None if tellings.over => {
                    return Told::Red("the engine ended without a word on this claim".to_owned());
                }
                None => tellings = self.changed.wait(tellings).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tellings> {
        self.tellings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, entry: &Entry, test: Option<&Test>, outcome: &Outcome) {
        let told = match outcome {
            Outcome::Passed => Told::Passed,
            Outcome::Skipped(skip) => Told::Ignored(skip.clone()),
            Outcome::NotMeasured(reason) => Told::NotMeasured(reason.clone()),
            Outcome::Failed(trouble) | Outcome::Broken(trouble) | Outcome::Crashed(trouble) => {
                let color = std::io::stdout().is_terminal();
                let text = test.map(|test| report::render(test, outcome.ended(), trouble, color));
                Told::Red(text.unwrap_or_else(|| trouble.message.clone().unwrap_or_default()))
            }
        };
        self.lock().by_name.insert(entry.name.clone(), told);
        self.changed.notify_all();
    }
}

impl Drop for Filling {
    /// Also when the engine panics: nobody waits for what will not come.
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

/// Listens to the engine.
struct Filling(Arc<Slots>);

impl Listener for Filling {
    fn hear(&mut self, event: &Event<'_>) {
        if let Event::Ended { entry, test, outcome, .. } = event {
            self.0.fill(entry, *test, outcome);
        }
    }
}

fn jobs(arguments: &Arguments) -> usize {
    let cpus = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    arguments.test_threads.unwrap_or_else(cpus).max(1)
}

/// Needs that must be met, from `AIRTIGHT_REQUIRE`, with commas.
fn required() -> Vec<String> {
    let given = std::env::var("AIRTIGHT_REQUIRE").unwrap_or_default();
    given.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
