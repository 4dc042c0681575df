//! What a runtime has of the host where it is run in a VM, in which there is nothing else: its file's `vm`, and its programs.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;

use super::definition::Definition;
use crate::sandbox::parcel::Parcel;
use crate::sandbox::program;
use crate::sandbox::runtime::Cannot;

/// What it needs there besides `program` and `programs`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InVm {
    /// Further programs, which it runs itself. A name is looked for on the PATH, and is on the PATH there; a whole path stays what it is. Each
    /// comes with its libraries.
    pub(super) programs: Vec<String>,
    /// Files and directories of the host that are there at the same place; programs among them come with their libraries. What the host does
    /// not have either is passed over: distributions have the same thing at different places.
    pub(super) copies: Vec<String>,
    /// Files that are there with this text: path and text.
    pub(super) files: IndexMap<String, String>,
    /// Modules of the kernel; one that it is built with, or is built without, is passed over.
    pub(super) modules: Vec<String>,
}

impl InVm {
    /// What it names, for a reader.
    pub(super) fn brought(&self) -> impl Iterator<Item = &str> {
        let files = self.files.keys();
        self.programs.iter().chain(&self.copies).chain(files).chain(&self.modules).map(String::as_str)
    }
}

/// Where programs are put that are looked for by their names: before what the guest has itself.
const PROGRAMS: &str = "/usr/local/bin";

/// What is to be taken along, as the file says it for root and for an ordinary user alike.
#[derive(Debug)]
pub(super) struct Luggable {
    programs: Vec<String>,
    vm: InVm,
    /// Where the file is that was read, if it does not come with airtight.
    file: Option<PathBuf>,
}

impl Luggable {
    /// Of a file as it was read.
    pub(super) fn of(definition: &Definition, file: Option<&Path>) -> Self {
        let Definition { program, programs, unprivileged, vm, .. } = definition;
        let further = unprivileged.iter().flat_map(|otherwise| &otherwise.programs);
        let mut all: Vec<String> = [program].into_iter().chain(programs).cloned().collect();
        // What only an ordinary user needs is no reason to leave root without the runtime.
        all.extend(further.filter(|name| program::find(name).is_some()).cloned());
        all.extend(vm.programs.iter().cloned());
        all.dedup();
        Self { programs: all, vm: vm.clone(), file: file.map(Path::to_owned) }
    }

    /// All of it, as this host has it.
    ///
    /// # Errors
    /// The host lacks one of the programs.
    pub(super) fn parcel(&self) -> Result<Parcel, Cannot> {
        let InVm { copies, files, modules, .. } = &self.vm;
        let there = copies.iter().map(PathBuf::from).filter(|path| path.exists());
        let definition = self.file.as_deref().map(std::fs::read_to_string).transpose();
        Ok(Parcel {
            programs: self.programs.iter().map(|name| located(name)).collect::<Result<_, _>>()?,
            copies: there.collect(),
            files: files.iter().map(|(path, text)| (PathBuf::from(path), text.clone())).collect(),
            modules: modules.clone(),
            definition: definition.map_err(|error| Cannot::because(error.to_string()))?,
        })
    }
}

/// Where a program is on the host, and where it is to be.
fn located(name: &str) -> Result<(PathBuf, PathBuf), Cannot> {
    let host =
        program::find(name).ok_or_else(|| Cannot::because(format!("the program `{name}` is not there")))?;
    let place = if name.contains('/') { host.clone() } else { Path::new(PROGRAMS).join(name) };
    Ok((host, place))
}
