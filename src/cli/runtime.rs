//! `airtight runtime`: what can make sandboxes here.

use std::path::Path;

use clap::{Args, Subcommand};

use super::{Exit, end_cleanly_on_signals, named};
use crate::image::Store;
use crate::sandbox::{self, Nursery};

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
    for (runtime, tried) in sandbox::tried(&nursery, &image.path) {
        let (name, version) = (runtime.name(), runtime.version().unwrap_or_else(|_| "-".to_owned()));
        match tried {
            Ok(took) => {
                anstream::println!("{name:<14} {version:<14} usable, a sandbox in {} ms", took.as_millis());
            }
            Err(reason) => anstream::println!("{name:<14} {version:<14} not usable: {reason}"),
        }
    }
    Ok(())
}

fn show(name: &str) -> Result<(), Exit> {
    anstream::print!("{}", named::one(name)?.manual());
    Ok(())
}
