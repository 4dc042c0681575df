//! `airtight runtime`: what can make sandboxes here.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::{Exit, end_cleanly_on_signals};
use crate::agent::protocol::Ask;
use crate::image::Store;
use crate::sandbox::{self, First, Nursery, Order};
use crate::spec::Settings;

/// How long a runtime may take for a sandbox.
const PATIENCE: Duration = Duration::from_secs(20);

/// `airtight runtime …`
#[derive(Debug, Args)]
pub(super) struct Runtime {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the runtimes, and say which can be used here: each is asked for a sandbox
    Ls,
    /// Say what is known of a runtime: its command lines, what it cannot express, what may surprise
    Show {
        /// Its name, as `ls` shows it
        name: String,
    },
}

/// Does it.
pub(super) fn run(runtime: &Runtime) -> Exit {
    let done = match &runtime.action {
        Action::Ls => list(),
        Action::Show { name } => show(name),
    };
    done.map_or_else(|exit| exit, |()| Exit::Held)
}

fn list() -> Result<(), Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let store = Store::open().map_err(|error| Exit::Broken.telling(&error))?;
    let image = store.rootfs("base", Path::new(".")).map_err(|error| Exit::Broken.telling(&error))?;
    let all = sandbox::names().into_iter().filter_map(|name| sandbox::by_name(&name));
    for runtime in all {
        let version = runtime.version();
        let (name, version) = (runtime.name(), version.unwrap_or_else(|_| "-".to_owned()));
        match try_out(runtime, &nursery, &image.path) {
            Ok(took) => {
                anstream::println!("{name:<12} {version:<14} usable, a sandbox in {} ms", took.as_millis());
            }
            Err(reason) => anstream::println!("{name:<12} {version:<14} not usable: {reason}"),
        }
    }
    Ok(())
}

/// How long it takes to have a sandbox, ask its agent something, and be rid of it; or why there is none to be had.
fn try_out(runtime: &dyn sandbox::Runtime, nursery: &Nursery, image: &Path) -> Result<Duration, String> {
    let (began, settings) = (Instant::now(), Settings::default());
    let deadline = began + PATIENCE;
    runtime.check(&settings).map_err(|cannot| cannot.reason)?;
    let directory = Path::new(".");
    let order =
        Order { settings: &settings, image, directory, first: First::Agent, deadline, breakage: None };
    let mut sandbox = runtime.start(nursery, &order).map_err(|error| error.to_string())?;
    sandbox.ready(deadline).map_err(|error| error.to_string())?;
    let agent = sandbox.agent().ok_or("it has no agent")?;
    agent.ask(&Ask::Observe(Vec::new()), deadline).map_err(|error| error.to_string())?;
    drop(sandbox);
    Ok(began.elapsed())
}

fn show(name: &str) -> Result<(), Exit> {
    let unknown = || format!("unknown runtime `{name}`; there are {}", sandbox::names().join(", "));
    let runtime = sandbox::by_name(name).ok_or_else(|| Exit::Wrong.telling(&unknown()))?;
    anstream::print!("{}", runtime.manual());
    Ok(())
}
