//! Reading the specs that a command names.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::spec_files;
use crate::spec::{self, Spec};

use super::Exit;

/// A spec with the prefix of its tests' names.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The spec.
    pub(crate) spec: Arc<Spec>,
    /// The prefix.
    pub(crate) prefix: String,
}

/// The specs of these places, or of `specs/`. Everything that is wrong with any of them is said on standard error.
pub(crate) fn load(places: &[PathBuf]) -> Result<Vec<Loaded>, Exit> {
    let usual = [PathBuf::from("specs")];
    let places = if places.is_empty() { &usual } else { places };
    let mut files = Vec::new();
    for place in places {
        files.append(&mut files_of(place)?);
    }
    if files.is_empty() {
        anstream::eprintln!("error: there are no specs (*.yaml) in {}", shown(places));
        return Err(Exit::Wrong);
    }
    read_all(files)
}

fn read_all(files: Vec<(PathBuf, String)>) -> Result<Vec<Loaded>, Exit> {
    let color = std::io::stderr().is_terminal();
    let mut loaded = Vec::new();
    let mut problems = 0;
    for (path, prefix) in files {
        match spec::load(&path) {
            Ok(spec) => loaded.push(Loaded { spec: Arc::new(spec), prefix }),
            Err(found) => {
                problems += found.count();
                anstream::eprintln!("{}\n", found.render(color));
            }
        }
    }
    if problems == 0 {
        return Ok(loaded);
    }
    anstream::eprintln!(
        "error: {problems} {} in the specs; nothing was run",
        if problems == 1 { "problem" } else { "problems" }
    );
    Err(Exit::Wrong)
}

fn files_of(place: &Path) -> Result<Vec<(PathBuf, String)>, Exit> {
    spec_files(place).map_err(|error| {
        anstream::eprintln!("error: cannot read {}: {error}", place.display());
        Exit::Wrong
    })
}

fn shown(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}
