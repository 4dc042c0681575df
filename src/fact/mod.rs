//! The facts: one table, and beside it one small file per area that observes them.
//!
//! An entry of the table is the single definition of a fact: its name, the kind of its value, what it says, how it is
//! observed. The JSON schema, `airtight explain`, the decoding of specs and the agent all read this table.

pub mod attempt;
mod bait;
mod capabilities;
mod cgroup;
mod credentials;
mod entries;
mod evidence;
mod fds;
mod files;
mod filesystems;
mod helpers;
mod inherited;
mod kernel_config;
mod keyrings;
mod kind;
mod lifecycle;
mod limits;
mod lsm;
mod machine;
mod mounts;
mod namespaces;
mod net;
mod origin;
mod paths;
mod peers;
mod pivoted;
mod posture;
mod process;
mod processes;
mod program;
mod reading;
mod reports;
mod routes;
mod scratch;
mod sockets;
mod status;
mod strays;
mod subject;
mod sysctl;
mod system;
mod table;
mod vantage;
mod view;

pub use attempt::{ATTEMPTS, Experiment, Takes, experiments, find_attempt};
pub use bait::{Bait, ON_HOST};
pub use kind::{Field, Kind};
pub(crate) use mounts::own_mount_points;
pub use peers::{Peer, Peers};
pub use reading::{Answer, Query, Reading, Unobserved, Value};
pub use reports::{Report, Reporter};
pub use scratch::Traces;
pub use subject::{Ended, Subject};
pub use table::{TABLE, check_argument, find};
pub use vantage::Vantage;
pub use view::View;

/// One fact of the language.
#[derive(Debug)]
pub struct Fact {
    /// Its name in a spec: `pid`.
    pub name: &'static str,
    /// What its argument is, for a fact that takes one, in capitals: `files: {PATH: …}`.
    pub argument: Option<&'static str>,
    /// The kind of its value.
    pub kind: Kind,
    /// The viewpoints from which it can be observed.
    pub views: &'static [Vantage],
    /// One sentence.
    pub brief: &'static str,
    /// A longer text: units, where the kernel shows it, what to beware of; with its source (man page, kernel file).
    pub long: &'static str,
    /// An expectation that holds in a sandbox of the default profile, as YAML: `pid: 1`.
    pub example: &'static str,
    /// Reads it of a process.
    pub observe: fn(&Subject, &str) -> Result<Reading, Unobserved>,
    /// Adds to the reading what shows only against others: which namespaces are the host's, which another sandbox's.
    pub relate: Option<fn(&mut Value, &Peers<'_>)>,
    /// Whether it is by definition the same for the process itself and for the host that looks at it. What the agent says of such
    /// a fact is held against what the host sees, and is no observation if they differ.
    pub same_outside: bool,
}

/// The fact that the host must be asked where this one is related: itself, but for one that the host does not have.
pub fn reference(fact: &Fact) -> &'static str {
    if fact.name == helpers::HELPERS.name { posture::POSTURE.name } else { fact.name }
}

/// One attempt of the language: the agent really tries it.
#[derive(Debug)]
pub struct Attempt {
    /// Its verb: `mount`.
    pub name: &'static str,
    /// What its object is, in capitals, for the manual: `PATH`.
    pub object: &'static str,
    /// One sentence.
    pub brief: &'static str,
    /// A longer text: exactly what is called with which arguments, what is undone after.
    pub long: &'static str,
    /// An example, as YAML: `attempts: { mount: { tmpfs: denied } }`.
    pub example: &'static str,
    /// What it leaves behind where it succeeds, so that what is tried after it might end otherwise.
    pub leaves: Leaves,
    /// Says what is wrong with an object, at the time the spec is read.
    pub check: fn(&str) -> Result<(), String>,
    /// Tries it, in the process itself, and undoes what it can. The value is an [`Outcome`] as JSON.
    pub attempt: fn(&str) -> Result<Reading, Unobserved>,
}

/// What an attempt that succeeds leaves behind in its sandbox. A control in which nothing was left serves other claims too.
#[derive(Debug, Clone, Copy)]
pub enum Leaves {
    /// Something, or what it was before but set anew, or nobody knows: the answer that is always safe.
    Something,
    /// Nothing: it changes nothing at all, or only what it has made itself and what is gone after it.
    Nothing,
    /// Nothing but that the next process has another number, as after a program that has run.
    NextPid,
    /// Nothing, with the objects of which this is true.
    NothingIf(fn(&str) -> bool),
}

impl Leaves {
    /// Whether nothing is left behind by an attempt with this object.
    pub fn nothing(self, object: &str) -> bool {
        match self {
            Self::Something | Self::NextPid => false,
            Self::Nothing => true,
            Self::NothingIf(so) => so(object),
        }
    }

    /// Whether an attempt with this object leaves the sandbox to other claims as it was.
    pub fn as_it_was(self, object: &str) -> bool {
        matches!(self, Self::NextPid) || self.nothing(object)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It succeeded.
    Allowed,
    /// It failed with this errno: `EPERM`.
    Failed(String),
    /// It was not refused or permitted, but gave this value: what an experiment has looked at.
    Gave(String),
    /// This signal ended the process that tried: `SIGSYS`. Only the other side can say so.
    Killed(String),
}

#[cfg(test)]
mod tests;
