//! Reading the specs that a command names.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::{PlanError, spec_files};
use crate::sandbox;
use crate::spec::{self, Problems, Spec};

use super::Exit;

/// A spec with the prefix of its tests' names.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The spec.
    pub(crate) spec: Arc<Spec>,
    /// The prefix.
    pub(crate) prefix: String,
}

/// Reads the specs of these places, or of `specs/`, and hands over each in turn. Everything that is wrong with any of them is
/// said on standard error.
pub(crate) fn load(
    places: &[PathBuf],
    mut take: impl FnMut(Loaded) -> Result<(), PlanError>,
) -> Result<(), Exit> {
    let mut problems = 0;
    for (path, prefix) in files(places)? {
        match read(&path) {
            Ok(spec) => {
                take(Loaded { spec: Arc::new(spec), prefix }).map_err(|error| Exit::Wrong.telling(&error))?;
            }
            Err(found) => {
                problems += found.count();
                anstream::eprintln!("{}\n", found.render(std::io::stderr().is_terminal()));
            }
        }
    }
    match problems {
        0 => Ok(()),
        1 => Err(Exit::Wrong.telling(&"1 problem in the specs; nothing was run")),
        many => Err(Exit::Wrong.telling(&format!("{many} problems in the specs; nothing was run"))),
    }
}

/// A spec whose runtimes there are.
fn read(path: &Path) -> Result<Spec, Problems> {
    let spec = spec::load(path)?;
    spec::check_runtimes(&spec, |name| sandbox::by_name(name).is_some(), &sandbox::names())?;
    Ok(spec)
}

fn files(places: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Exit> {
    let usual = [PathBuf::from("specs")];
    let places = if places.is_empty() { &usual } else { places };
    let mut files = Vec::new();
    for place in places {
        let found = spec_files(place);
        files.append(&mut found.map_err(|error| {
            Exit::Wrong.telling(&format!("cannot read specs from `{}`: {error}", place.display()))
        })?);
    }
    if files.is_empty() {
        return Err(Exit::Wrong.telling(&format!("there are no specs (*.yaml) in {}", shown(places))));
    }
    Ok(files)
}

fn shown(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}
