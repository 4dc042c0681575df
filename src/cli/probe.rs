//! `airtight probe` and `airtight record`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::{Exit, end_cleanly_on_signals, named};
use crate::image::Store;
use crate::probe::{self, Probed};
use crate::sandbox::{self, Nursery};
use crate::spec::{Profile, Settings};

/// Print every fact of a sandbox, or of where airtight is run
#[derive(Debug, Args)]
pub(super) struct Probe {
    /// The runtime that makes the sandbox; none: this very process is looked at
    runtime: Option<String>,
    #[command(flatten)]
    sandbox: Sandbox,
    /// How to tell it
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

/// Write what a sandbox is like as a spec, to be edited
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The runtime that makes the sandbox
    #[arg(default_value = "native")]
    runtime: String,
    #[command(flatten)]
    sandbox: Sandbox,
    /// Where to write it; nothing that is there is overwritten [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What the sandbox is to be.
#[derive(Debug, Args)]
struct Sandbox {
    /// Its image
    #[arg(long, default_value = "base")]
    image: String,
    /// As tight as the runtime's own flags make it
    #[arg(long)]
    hardened: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Pretty,
    /// One JSON object; what could not be observed is in `unobserved`
    Json,
}

/// Does it.
pub(super) fn probe(arguments: &Probe) -> Exit {
    let probed = match &arguments.runtime {
        None => Ok(probe::host()),
        Some(runtime) => Prober::new(runtime, &arguments.sandbox)
            .and_then(|prober| prober.sandbox())
            .map(|(probed, _)| probed),
    };
    match probed {
        Ok(probed) => {
            print(&probed, arguments.format);
            Exit::Held
        }
        Err(exit) => exit,
    }
}

/// Does it.
pub(super) fn record(arguments: &Record) -> Exit {
    try_record(arguments).map_or_else(|exit| exit, |()| Exit::Held)
}

fn try_record(arguments: &Record) -> Result<(), Exit> {
    let prober = Prober::new(&arguments.runtime, &arguments.sandbox)?;
    let before = prober.without()?;
    // Both are there at the same time: of two, one after the other, the second may have the first's numbers of namespaces.
    let ((one, _first), (other, _second)) = (prober.sandbox()?, prober.sandbox()?);
    let without = [before, prober.without()?];
    let spec = probe::record(
        &arguments.runtime,
        &arguments.sandbox.image,
        arguments.sandbox.hardened,
        [&one, &other],
        without.each_ref().map(Vec::as_slice),
    );
    let nothing = || {
        Exit::Unmeasured
            .telling(&"nothing in the sandbox is other than without it: there is nothing to record")
    };
    let spec = spec.ok_or_else(nothing)?;
    let Some(path) = &arguments.output else {
        anstream::print!("{spec}");
        return Ok(());
    };
    let written = std::fs::File::create_new(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, spec.as_bytes()));
    written.map_err(|error| Exit::Broken.telling(&format!("{}: {error}", path.display())))
}

/// What makes the sandboxes.
struct Prober {
    nursery: Nursery,
    runtime: &'static dyn sandbox::Runtime,
    settings: Settings,
    image: PathBuf,
}

impl Prober {
    fn new(runtime: &str, wanted: &Sandbox) -> Result<Self, Exit> {
        // Before the first thread.
        let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
        end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
        let runtime = named::one(runtime)?;
        let store = Store::open().map_err(|error| Exit::Broken.telling(&error))?;
        let image = store.rootfs(&wanted.image, std::path::Path::new("."));
        let image = image.map_err(|error| Exit::Broken.telling(&error))?.path;
        let profile = wanted.hardened.then_some(Profile::Hardened);
        Ok(Self { nursery, runtime, settings: Settings { profile, ..Settings::default() }, image })
    }

    fn sandbox(&self) -> Result<(Vec<Probed>, sandbox::Sandbox), Exit> {
        self.probed(self.runtime, &self.settings)
    }

    /// The same without a sandbox.
    fn without(&self) -> Result<Vec<Probed>, Exit> {
        self.probed(named::one("none")?, &Settings::default()).map(|(probed, _)| probed)
    }

    fn probed(
        &self,
        runtime: &dyn sandbox::Runtime,
        settings: &Settings,
    ) -> Result<(Vec<Probed>, sandbox::Sandbox), Exit> {
        let probed = probe::sandbox(runtime, &self.nursery, settings, &self.image);
        probed.map_err(|error| Exit::Broken.telling(&format!("{}: {error}", runtime.name())))
    }
}

fn print(probed: &[Probed], format: Format) {
    match format {
        Format::Json => anstream::println!("{}", json(probed)),
        Format::Pretty => {
            for Probed { fact, value } in probed {
                let value = value
                    .as_ref()
                    .map_or_else(|reason| format!("not observed: {reason}"), ToString::to_string);
                anstream::println!("{:<20} {value}", fact.name);
            }
        }
    }
}

fn json(probed: &[Probed]) -> Value {
    let (mut facts, mut unobserved) = (Map::new(), Map::new());
    for Probed { fact, value } in probed {
        match value {
            Ok(value) => facts.insert(fact.name.to_owned(), value.clone()),
            Err(reason) => unobserved.insert(fact.name.to_owned(), Value::from(reason.as_str())),
        };
    }
    serde_json::json!({ "facts": facts, "unobserved": unobserved })
}
