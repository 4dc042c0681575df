//! The engine in the guest: it judges what the host asks for, as `airtight run` would there.

use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::flag::set_guest;
use super::warm;
use crate::engine::{Engine, Event, Keep, Listener, Options};
use crate::plan::{Choice, Plan};
use crate::sandbox::{self, Nursery};
use crate::spec;
use crate::vm::layout::RUNTIMES;
use crate::vm::wire::{FromGuest, Go, Summed, Verdict};

/// The word on the command line that names this role.
pub(crate) const ROLE: &str = "airtight-role-guest";

/// What it says once it can be asked.
pub(super) const READY: &str = "ready";

/// Where specs are put, one after another: for each user in a folder of its own.
const FOLDER: &str = "/tmp/airtight-specs-";

/// Serves standard input until it ends.
pub(crate) fn run() -> ExitCode {
    set_guest();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| error.to_string())?;
    // The machine has one CPU, and each claim the whole of it.
    let options = Options { jobs: 1, required: Vec::new(), keep: Keep::Nothing, share: true };
    let engine = Engine::with_images_at_hand(nursery, options);
    let folder = PathBuf::from(format!("{FOLDER}{}", nix::unistd::getuid()));
    add_runtimes();
    warm::runtime();
    warm::each_image(|go| {
        // Where it fails, the claims will say so.
        let _ = judge(&engine, go, &folder, &mut Unheard);
    });
    println!("{READY}");
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        let go: Go = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let nonce = go.nonce.clone();
        let mut telling = Telling { nonce: go.nonce.clone() };
        let summed = judge(&engine, &go, &folder.join(number.to_string()), &mut telling);
        say(&FromGuest::Done(summed.unwrap_or_else(|trouble| Summed {
            nonce,
            tests: 0,
            sandboxes: (0, 0),
            tainted: (0, 0),
            trouble: Some(trouble),
        })));
    }
    Ok(())
}

/// Adds those that do not come with airtight. They were read on the host, so that each is well-formed.
fn add_runtimes() {
    for file in fs::read_dir(RUNTIMES).into_iter().flatten().flatten() {
        // One that is missing is told by the claims that are to be judged on it.
        let _ = sandbox::add_runtime(&file.path());
    }
}

fn judge(engine: &Engine, go: &Go, folder: &Path, told: &mut dyn Listener) -> Result<Summed, String> {
    let path = lay_out(go, folder).map_err(|error| format!("the spec could not be laid out: {error}"))?;
    let read = spec::load(&path).map_err(|problems| problems.render(false))?;
    let runtime = sandbox::by_name(&go.runtime).ok_or_else(|| format!("no runtime `{}`", go.runtime))?;
    // What nothing isolates from the machine may be done to this one: it is there for nothing else.
    let choice = Choice { runtimes: vec![runtime], allow_risky: true, ..Choice::default() };
    let mut plan = Plan::new(choice);
    plan.add(&Arc::new(read), &go.prefix).map_err(|error| error.to_string())?;
    plan.entries.retain(|entry| go.tests.contains(&entry.name));
    engine.lay_images(go.images.iter().map(|(name, root)| (name.clone(), PathBuf::from(root))));
    let summary = engine.run(&plan, told);
    Ok(Summed {
        nonce: go.nonce.clone(),
        tests: plan.entries.len(),
        sandboxes: (summary.sandboxes, summary.controls),
        tainted: (0, 0),
        trouble: None,
    })
}

/// The spec as a file, with those that it names.
fn lay_out(go: &Go, folder: &Path) -> std::io::Result<PathBuf> {
    for (name, text) in &go.beside {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, text)?;
    }
    let path = folder.join(&go.name);
    fs::create_dir_all(folder)?;
    fs::write(&path, &go.spec)?;
    Ok(path)
}

/// Tells the host of each test, as it begins and as it ends.
struct Telling {
    nonce: String,
}

impl Listener for Telling {
    fn hear(&mut self, event: &Event<'_>) {
        let nonce = self.nonce.clone();
        match event {
            Event::Begun { entry } => say(&FromGuest::Begun { nonce, test: entry.name.clone() }),
            Event::Ended { entry, outcome, observed, took, .. } => {
                say(&FromGuest::Judged(Box::new(Verdict {
                    nonce,
                    test: entry.name.clone(),
                    outcome: (*outcome).clone(),
                    observed: observed.without_raw(RAW),
                    milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                })));
            }
            _ => {}
        }
    }
}

/// Nobody hears what comes of it.
struct Unheard;

impl Listener for Unheard {
    fn hear(&mut self, _: &Event<'_>) {}
}

/// How much of each text behind a value goes to the host: the line carries half a MiB in a second.
const RAW: usize = 512;

fn say(message: &FromGuest) {
    let line = serde_json::to_string(message).unwrap_or_default();
    // The first process reads as long as there is a machine.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
