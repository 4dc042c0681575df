//! Whether a runtime is there, is what its file takes it for, and has left something of earlier runs.

use std::path::Path;

use nix::unistd::Uid;

use super::ask::{AskError, ask_apart, start_of};
use super::definition::{Definition, Need};
use super::engine;
use super::place::Place;
use super::runtime::CommandLine;
use super::words::{Values, fill};
use crate::sandbox::native::cgroup;
use crate::sandbox::runtime::{Cannot, Runtime as _, StartError};
use crate::sandbox::{program, run_directory};

impl CommandLine {
    /// Says what keeps it from being used here at all.
    pub(super) fn is_there(&self) -> Result<(), Cannot> {
        let Definition { program, programs, needs, .. } = &self.definition;
        let missing = [program].into_iter().chain(programs).find(|name| program::find(name).is_none());
        if let Some(name) = missing {
            return Err(Cannot::because(format!("the program `{name}` is not there")));
        }
        if needs.contains(&Need::Root) && !Uid::effective().is_root() {
            return Err(Cannot::because(format!("{} needs root here", self.name)));
        }
        match self.ready.get_or_init(|| self.is_ready()) {
            Err(failed @ AskError::Failed(..)) => Err(Cannot::because(failed.to_string())),
            // One that hangs or floods is there, and faulty.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether a daemon answers; asked once.
    fn is_ready(&self) -> Result<(), AskError> {
        let Some(words) = &self.definition.ready else { return Ok(()) };
        let argv = fill(words, &self.values(&Place::new(Path::new("/"), "airtight")))
            .map_err(|cannot| AskError::Failed("ready".to_owned(), cannot.reason))?;
        ask_apart(&argv, self.definition.patience()).map(drop)
    }

    /// Holds that the program is what the file takes it for: what another program of the same name makes tells nothing of this runtime.
    pub(super) fn is_itself(&self) -> Result<(), StartError> {
        if let Some(Err(faulty)) = self.ready.get() {
            return Err(StartError::Program(faulty.to_string()));
        }
        self.version().map(drop).map_err(StartError::Program)
    }

    pub(super) fn read_version(&self) -> Result<String, String> {
        let version = &self.definition.version;
        let place = Place::new(Path::new("/"), "airtight");
        let argv = fill(&version.run, &self.values(&place)).map_err(|cannot| cannot.reason)?;
        let said = ask_apart(&argv, self.definition.patience()).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&said);
        let found = version.matches.0.captures(&text).and_then(|found| found.get(1));
        let unknown = || {
            let (asked, said, pattern) = (argv.join(" "), start_of(&said), version.matches.0.as_str());
            format!(
                "`{asked}` printed no version of {}, which matches `{pattern}`; it said: {said}",
                self.name
            )
        };
        found.map(|found| found.as_str().to_owned()).ok_or_else(unknown)
    }

    /// Ends what this run has left with a daemon although it should have removed itself.
    pub(super) fn end_forgotten(&self, tag: &str) {
        if self.definition.removes_itself.is_some() {
            self.end_own(tag);
        }
    }

    /// Ends what this run has left with its daemon.
    pub(super) fn end_own(&self, tag: &str) {
        if self.swept.get().is_some() {
            let values = self.values(&Place::new(Path::new("/"), "airtight"));
            engine::sweep(&self.definition, &values, |of| of == tag);
            engine::sweep_images(&self.definition, &values, |of| of == tag);
        }
    }

    /// Removes what runs have left that have died.
    pub(super) fn sweep(&self, values: &Values) {
        engine::sweep(&self.definition, values, |tag| !run_directory::is_alive(tag));
        engine::sweep_images(&self.definition, values, |tag| !run_directory::is_alive(tag));
        cgroup::sweep_those_of_the_dead(run_directory::is_alive);
    }
}
