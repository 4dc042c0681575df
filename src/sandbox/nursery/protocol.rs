//! The messages between the runner and its nursery: a [`Request`] with descriptors over the nursery's socket, and
//! [`Report`]s over the socket that each request brings along.

use std::os::fd::{BorrowedFd, RawFd};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fact::{Bait, Ended};
use crate::sandbox::native::{Blueprint, Role};
use crate::spec::Plant;
use crate::sys::{self, Failure};

/// What the runner asks of the nursery. With each come the new process's standard streams and its report socket.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) enum Request {
    /// A native sandbox.
    Native {
        /// What it is.
        blueprint: Written,
        /// What its first process becomes.
        role: Role,
    },
    /// A further process in a sandbox.
    Join {
        /// What the sandbox is.
        blueprint: Written,
        /// Its first process, in the nursery's PID namespace.
        pid: i32,
        /// What the process becomes.
        role: Role,
    },
    /// A runtime's own command line, with a root filesystem prepared for it.
    Launch(Launch),
    /// That the host's bait be laid out, if it is not yet.
    Bait,
}

/// A blueprint as its text: the nursery knows those that it has read before, and reads none twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::sandbox) struct Written(Box<RawValue>);

impl Written {
    /// Only a path that is not UTF-8 cannot be written.
    pub(in crate::sandbox) fn of(blueprint: &Blueprint) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(blueprint).map(Self)
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        self.0.get()
    }

    /// The blueprint.
    pub(super) fn read(&self) -> serde_json::Result<Blueprint> {
        serde_json::from_str(self.text())
    }
}

/// How a command-line runtime is started.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct Launch {
    /// The command line.
    pub(in crate::sandbox) argv: Vec<String>,
    /// The root to prepare at the stage, in a mount namespace of the launcher's own; none: the host's root.
    pub(in crate::sandbox) root: Option<Box<PreparedRoot>>,
    /// The process into whose mount namespace it goes first: another launcher, that prepared a root there.
    pub(in crate::sandbox) beside: Option<i32>,
    /// Whether the process that becomes it has everything that must not be inherited.
    pub(in crate::sandbox) poisoned: bool,
    /// What it is a part of.
    pub(in crate::sandbox) part: Part,
}

/// What a process is a part of that a runtime's command line starts. The name stands in its environment, as in that of all that it
/// starts, unless they change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum Part {
    /// The first process of the sandbox of this name: what carries the name ends with it.
    First(String),
    /// A further process in that sandbox: what it leaves behind goes on as long as the sandbox.
    Further(String),
    /// Nothing that has a name.
    Unnamed,
}

impl Part {
    /// The name, if there is one.
    pub(in crate::sandbox) const fn name(&self) -> Option<&String> {
        match self {
            Self::First(name) | Self::Further(name) => Some(name),
            Self::Unnamed => None,
        }
    }
}

/// A root for a runtime that is given a directory.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::sandbox) struct PreparedRoot {
    /// An empty directory of this run.
    pub(in crate::sandbox) stage: PathBuf,
    /// The image's root.
    pub(in crate::sandbox) image: PathBuf,
    /// Who owns the root itself: the root of the sandbox's user namespace, as the host knows it. None: who owns it in the image.
    pub(in crate::sandbox) owner: Option<u32>,
    /// Files of the host to bind below it, to be read only, as (source, target): the agent, its loader and its libraries.
    pub(in crate::sandbox) agent: Vec<(PathBuf, String)>,
    /// What else is to be bound below it.
    pub(in crate::sandbox) binds: Vec<(PathBuf, String)>,
    /// Directories and, without a slash at their end, files that it is to have.
    pub(in crate::sandbox) places: Vec<String>,
    /// What is laid into it then.
    pub(in crate::sandbox) planted: Vec<Plant>,
    /// Files to write beside it, by their path on the stage: a bundle's `config.json`.
    pub(in crate::sandbox) files: Vec<(PathBuf, String)>,
    /// What the launcher is to see of the host instead of what is there.
    pub(in crate::sandbox) host: HostView,
}

/// How the host differs for a runtime that cannot work with it as it is; in the launcher's mount namespace only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::sandbox) struct HostView {
    /// Mounts that are not there, if they ever were.
    pub(in crate::sandbox) unmounted: Vec<PathBuf>,
    /// Files with other texts, by their path.
    pub(in crate::sandbox) texts: Vec<(PathBuf, String)>,
}

/// What a process and the nursery say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) enum Report {
    /// It exists, with this PID in the runner's PID namespace; a pidfd comes with the message.
    Born {
        /// The PID.
        pid: i32,
    },
    /// The root that was prepared for a runtime is on this device, which is an overlay's own.
    Root {
        /// Its `st_dev`.
        device: u64,
    },
    /// It is set up, and about to become its command. An agent says hello instead.
    Ready,
    /// The bait is out, and is found by this.
    Laid(Bait),
    /// It has ended, and has not been waited for.
    Zombie(Ended),
    /// It could not be made, or could not be set up.
    Failed(Failure),
    /// It has ended, and has been waited for; what it left behind has been killed.
    Ended(Ended),
}

impl Report {
    /// Sends it whole.
    pub(in crate::sandbox) fn send(&self, socket: BorrowedFd<'_>, fds: &[RawFd]) -> sys::Result<()> {
        sys::send(socket, &serde_json::to_vec(self).unwrap_or_default(), fds)
    }
}
