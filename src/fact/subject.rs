//! The process a fact is read of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reports::Reporter;
use super::scratch::Traces;
use serde::{Deserialize, Serialize};

/// The process a fact is read of: oneself, or another process that the host looks at.
#[derive(Debug, Clone)]
pub struct Subject {
    pid: Option<i32>,
    ended: Option<Ended>,
    unwaited: bool,
    reporter: Option<Arc<dyn Reporter>>,
    traces: Option<Arc<dyn Traces>>,
}

/// No process has this PID: kill(2) takes it for the caller's own group.
const NOBODY: i32 = 0;

/// How a process ended, as wait(2) told its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It exited with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
}

impl Subject {
    /// The process that reads.
    pub const fn oneself() -> Self {
        Self { pid: None, ended: None, unwaited: false, reporter: None, traces: None }
    }

    /// Another process, by its PID in the reader's PID namespace, and how it ended if it has.
    pub const fn other(pid: i32, ended: Option<Ended>) -> Self {
        Self { pid: Some(pid), ended, unwaited: false, reporter: None, traces: None }
    }

    /// Nobody: the runtime has refused to start the sandbox.
    pub const fn nobody() -> Self {
        Self::other(NOBODY, None)
    }

    /// Whether there is no such process, and never was.
    pub fn is_nobody(&self) -> bool {
        self.pid == Some(NOBODY)
    }

    /// The same, where it has ended and nobody has waited for it: it is still there, as a zombie.
    #[must_use]
    pub fn unwaited(self) -> Self {
        Self { unwaited: true, ..self }
    }

    /// Whether its PID is no longer its own: it has ended, and was waited for.
    pub const fn is_gone(&self) -> bool {
        self.ended.is_some() && !self.unwaited
    }

    /// The other process's PID; `None` for oneself, whose own idea of its PID is a fact.
    pub const fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// How it ended, if it has.
    pub const fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// The same, of whom somebody reports.
    #[must_use]
    pub fn reported_by(self, reporter: Option<Arc<dyn Reporter>>) -> Self {
        Self { reporter, ..self }
    }

    /// Who reports of it.
    pub fn reporter(&self) -> Option<&dyn Reporter> {
        self.reporter.as_deref()
    }

    /// The same, whose sandbox has a scratch folder.
    #[must_use]
    pub fn traced_by(self, traces: Option<Arc<dyn Traces>>) -> Self {
        Self { traces, ..self }
    }

    /// Who knows of its sandbox's scratch folder.
    pub fn traces(&self) -> Option<&dyn Traces> {
        self.traces.as_deref()
    }

    /// A file of the process under `/proc`: `/proc/self/status`, `/proc/4711/status`.
    pub fn proc_file(&self, name: impl AsRef<Path>) -> PathBuf {
        let directory = self.pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        Path::new("/proc").join(directory).join(name)
    }
}
