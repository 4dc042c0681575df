//! The runtimes that a command line names.

use std::path::Path;

use super::Exit;
use crate::image::Store;
use crate::sandbox::{self, Nursery, Runtime};

/// What stands for each runtime that is usable here.
const ALL: &str = "all";

/// The runtimes of these names, each once, in their order. `all` stands for each that is usable here; those that are not are told on
/// standard error with the reason. What does not isolate is meant only where it is named.
pub(super) fn all(names: &[String], nursery: &Nursery) -> Result<Vec<&'static dyn Runtime>, Exit> {
    let mut chosen: Vec<&'static dyn Runtime> = Vec::new();
    for name in names {
        let meant = if name == ALL { usable(nursery)? } else { vec![one(name)?] };
        for runtime in meant {
            if !chosen.iter().any(|known| known.name() == runtime.name()) {
                chosen.push(runtime);
            }
        }
    }
    Ok(chosen)
}

/// The runtime of this name, or the null that pretends to be one.
pub(super) fn one(name: &str) -> Result<&'static dyn Runtime, Exit> {
    let mut pretenders = sandbox::pretenders().into_iter().map(|(_, pretender)| pretender);
    let found = sandbox::by_name(name).or_else(|| pretenders.find(|pretender| pretender.name() == name));
    let unknown = || format!("unknown runtime `{name}`; there are {}", sandbox::names().join(", "));
    found.ok_or_else(|| Exit::Wrong.telling(&unknown()))
}

fn usable(nursery: &Nursery) -> Result<Vec<&'static dyn Runtime>, Exit> {
    let store = Store::open().map_err(|error| Exit::Broken.telling(&error))?;
    let image = store.rootfs("base", Path::new(".")).map_err(|error| Exit::Broken.telling(&error))?;
    let mut usable = Vec::new();
    for (runtime, tried) in sandbox::tried(nursery, &image.path).filter(|(runtime, _)| runtime.isolates()) {
        match tried {
            Ok(_) => usable.push(runtime),
            Err(reason) => anstream::eprintln!("not usable here: {}: {reason}", runtime.name()),
        }
    }
    if usable.is_empty() {
        return Err(Exit::Unmeasured.telling(&"no runtime is usable here: nothing would be measured"));
    }
    Ok(usable)
}
