//! The runtimes that are files: those that come with airtight, and the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::definition::Definition;
use super::review::review;
use super::runtime::CommandLine;
use crate::sandbox::Runtime as _;
use crate::spec::{Problems, load_as};

/// Those that come with airtight: `catalogue/NAME.yaml`.
const BUNDLED: &[(&str, &str)] = &[
    ("bwrap", include_str!("catalogue/bwrap.yaml")),
    ("crun", include_str!("catalogue/crun.yaml")),
    ("ctr", include_str!("catalogue/ctr.yaml")),
    ("docker", include_str!("catalogue/docker.yaml")),
    ("firejail", include_str!("catalogue/firejail.yaml")),
    ("hakoniwa", include_str!("catalogue/hakoniwa.yaml")),
    ("lxc", include_str!("catalogue/lxc.yaml")),
    ("minijail", include_str!("catalogue/minijail.yaml")),
    ("nsjail", include_str!("catalogue/nsjail.yaml")),
    ("podman", include_str!("catalogue/podman.yaml")),
    ("runc", include_str!("catalogue/runc.yaml")),
    ("runsc", include_str!("catalogue/runsc.yaml")),
    ("syd", include_str!("catalogue/syd.yaml")),
    ("systemd-nspawn", include_str!("catalogue/systemd-nspawn.yaml")),
    ("unshare", include_str!("catalogue/unshare.yaml")),
    ("youki", include_str!("catalogue/youki.yaml")),
];

/// Those that have been read, by their names. A runtime lives as long as the program.
static READ: Mutex<BTreeMap<String, &'static CommandLine>> = Mutex::new(BTreeMap::new());

/// The names of those that come with airtight, and of those that were added.
pub(in crate::sandbox) fn names() -> Vec<String> {
    let mut names: Vec<String> = BUNDLED.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.extend(read().keys().filter(|name| bundled(name).is_none()).cloned());
    names.sort();
    names
}

/// The runtime of this name.
pub(in crate::sandbox) fn by_name(name: &str) -> Option<&'static CommandLine> {
    if let Some(known) = read().get(name) {
        return Some(known);
    }
    let text = bundled(name)?;
    let path = PathBuf::from(format!("{name}.yaml"));
    #[expect(clippy::panic, reason = "it comes with the program, and is read in the tests")]
    let definition = decode(&path, Some(text)).unwrap_or_else(|problems| panic!("{problems}"));
    Some(keep(definition, None))
}

/// Adds the runtime that a file describes. One of the same name takes the place of that which comes with airtight.
///
/// # Errors
/// Everything that is wrong with the file.
pub(in crate::sandbox) fn add(path: &Path) -> Result<&'static str, Problems> {
    decode(path, None).map(|definition| keep(definition, Some(path)).name())
}

/// Ends what a run has left with the daemons of those that it has used.
pub(in crate::sandbox) fn end_all_of(tag: &str) {
    for runtime in known() {
        runtime.end_own(tag);
    }
}

/// Ends what a run has left with the daemons whose sandboxes remove themselves.
pub(in crate::sandbox) fn end_forgotten_of(tag: &str) {
    for runtime in known() {
        runtime.end_forgotten(tag);
    }
}

/// Of now, so that nobody has to wait for those who ask them.
fn known() -> Vec<&'static CommandLine> {
    read().values().copied().collect()
}

/// Adds those of the user's own folder, `$XDG_CONFIG_HOME/airtight/runtimes/*.yaml`.
///
/// # Errors
/// Everything that is wrong with one of them.
pub(in crate::sandbox) fn add_users() -> Result<(), Problems> {
    let Some(folder) = users_folder() else { return Ok(()) };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().try_for_each(|path| add(path).map(drop))
}

fn users_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("airtight/runtimes"))
}

fn bundled(name: &str) -> Option<&'static str> {
    BUNDLED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn decode(path: &Path, text: Option<&str>) -> Result<Definition, Problems> {
    load_as(path, text, "runtime", review)
}

fn keep(definition: Definition, file: Option<&Path>) -> &'static CommandLine {
    let name = definition.runtime.0.clone();
    let runtime: &'static CommandLine = Box::leak(Box::new(CommandLine::new(definition, file)));
    read().insert(name, runtime);
    runtime
}

fn read() -> std::sync::MutexGuard<'static, BTreeMap<String, &'static CommandLine>> {
    READ.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_well_formed_and_named_as_its_runtime() {
        for (name, text) in BUNDLED {
            let definition = decode(&PathBuf::from(format!("{name}.yaml")), Some(text)).unwrap();
            assert_eq!(definition.runtime.0, *name);
        }
    }
}
