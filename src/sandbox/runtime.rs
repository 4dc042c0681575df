//! What makes sandboxes.

use std::path::Path;

use super::command::{Idle, Liar, Null, catalogue};
use super::native::{Breakage, Native};
use super::nursery::{Nursery, NurseryError};
use super::parcel::Parcel;
use super::running::Sandbox;
use crate::agent::ChannelError;
use crate::fact::Ended;
use crate::spec::{Problems, Settings};
use crate::sys::{Failure, signal_name};

/// What makes sandboxes.
pub trait Runtime: Send + Sync {
    /// Its name: `native`.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn about(&self) -> &str;

    /// Its version, asked of the program itself.
    ///
    /// # Errors
    /// It does not say.
    fn version(&self) -> Result<String, String> {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }

    /// What is to be known of it, for `airtight runtime show`.
    fn manual(&self) -> String {
        format!("{}: {}\n", self.name(), self.about())
    }

    /// Removes what it keeps from run to run: containers of runs that have died, images. Says what that was.
    ///
    /// # Errors
    /// It could not be removed.
    fn clean(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// Whether what is done in its sandboxes is not done to the host itself.
    fn isolates(&self) -> bool {
        true
    }

    /// Says what keeps it from making a sandbox of these settings here: a setting it cannot express, a right it lacks.
    fn check(&self, settings: &Settings) -> Result<(), Cannot>;

    /// Whether it has a command that sends signals to its sandboxes.
    fn sends_signals(&self) -> bool {
        false
    }

    /// Why it is known not to make this claim, `SCENARIO::CLAIM`, hold; by its design, say.
    fn known_issue(&self, _claim: &str) -> Option<String> {
        None
    }

    /// The words that judge a spec on this runtime again: `run PATH --runtime runc`.
    fn again(&self, path: &str) -> String {
        format!("run {path} --runtime {}", self.name())
    }

    /// Whether its sandbox runs already, and is only looked at.
    fn is_attached(&self) -> bool {
        false
    }

    /// What of this host it needs to be run in a VM.
    ///
    /// # Errors
    /// The host lacks something of it.
    fn parcel(&self) -> Result<Parcel, Cannot> {
        Ok(Parcel::default())
    }

    /// Does once what the first sandbox of this image would need, and later ones not any more. No sandbox is made.
    ///
    /// # Errors
    /// It cannot be done; a sandbox will say so as well.
    fn make_ready(&self, _image: &Path) -> Result<(), StartError> {
        Ok(())
    }

    /// The PID of the first process of a sandbox of this name that runs already, as the runtime itself says.
    ///
    /// # Errors
    /// It cannot be asked, or knows of none.
    fn pid_of(&self, _name: &str) -> Result<i32, String> {
        Err(format!("{} keeps no sandboxes that could be named", self.name()))
    }

    /// Whether airtight knows how to break its sandboxes. What is claimed of others cannot be proven.
    fn is_breakable(&self) -> bool {
        true
    }

    /// Every way in which a sandbox of these settings can be broken on purpose; none where the runtime is not ours to break.
    fn breakages(&self, _settings: &Settings, _directory: &Path) -> Vec<Breakage> {
        Vec::new()
    }

    /// Whether in a sandbox broken so an act could reach the host's files.
    fn exposes_host(&self, _settings: &Settings, _directory: &Path, _breakage: &Breakage) -> bool {
        !self.isolates()
    }

    /// Starts a sandbox.
    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError>;
}

impl std::fmt::Debug for dyn Runtime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A sandbox to be started.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What it is to be.
    pub settings: &'a Settings,
    /// Its image's root.
    pub image: &'a Path,
    /// What paths in the settings are relative to.
    pub directory: &'a Path,
    /// Its first process.
    pub first: First<'a>,
    /// When it must be up.
    pub deadline: std::time::Instant,
    /// Whether its runtime is asked about it after its end, so that nothing of it may be removed before.
    pub kept: bool,
    /// How it is to be broken, on purpose. Only the built-in runtime can do so.
    pub breakage: Option<&'a Breakage>,
}

/// What a sandbox's first process is.
#[derive(Debug, Clone, Copy)]
pub enum First<'a> {
    /// The agent.
    Agent,
    /// A command.
    Command {
        /// Its argv; never empty.
        argv: &'a [String],
        /// What it reads on its standard input.
        stdin: &'a str,
    },
}

/// What a runtime cannot do: the claim is skipped, with this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Cannot {
    /// A sentence fragment.
    pub reason: String,
}

impl Cannot {
    /// For this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Why a sandbox did not come up: the claim is broken.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The runtime cannot make it.
    #[error(transparent)]
    Cannot(#[from] Cannot),
    /// The nursery could not make a process, or it could not set itself up.
    #[error(transparent)]
    Nursery(#[from] NurseryError),
    /// The agent did not say hello.
    #[error("{error}{}", said(.stderr))]
    Agent {
        /// What happened on its streams.
        error: ChannelError,
        /// What was said on standard error instead.
        stderr: String,
    },
    /// The runtime did not bring its sandbox up.
    #[error("{runtime} started no sandbox: {error}{}{}", how(*.ended), said(.stderr))]
    Runtime {
        /// The runtime.
        runtime: &'static str,
        /// What happened on the streams that the agent was to have.
        error: ChannelError,
        /// How the runtime ended, if it did by itself.
        ended: Option<Ended>,
        /// What was said on standard error instead.
        stderr: String,
    },
    /// The program is another than it should be, or cannot be asked.
    #[error("{0}")]
    Program(String),
    /// The runtime has ended, and what it started has not.
    #[error("the runtime {}, and what it started goes on without it", in_words(*.0))]
    Deserted(Ended),
    /// A further process is in another sandbox.
    #[error("what the runtime started as a further process is not in the sandbox: {0}")]
    Elsewhere(String),
    /// The process that said hello cannot be found from the host.
    #[error("the agent's process cannot be found from the host: {0}")]
    NotFound(String),
    /// The agent's program cannot be brought along.
    #[error("the agent cannot be brought into the image: {0}")]
    Bundle(String),
    /// The runtime could not be given the image.
    #[error("the image cannot be given to the runtime: {0}")]
    Image(String),
    /// A pipe could not be made.
    #[error(transparent)]
    System(#[from] Failure),
}

impl StartError {
    /// What a runtime says that does not make a sandbox of these settings, or of this image, and ends: of other settings it may make one.
    pub fn refused(&self) -> Option<String> {
        match self {
            Self::Runtime { ended: Some(Ended::Exited(status)), .. } if *status != 0 => {}
            Self::Nursery(NurseryError::Setup(_)) if self.refusal().is_none() => {}
            Self::Image(_) => {}
            _ => return None,
        }
        Some(self.to_string())
    }

    /// What the machine refuses to everyone, if that is why: then a claim is skipped for it. It shows in the first calls,
    /// before anything of the sandbox's own is in question: the namespaces, the id maps, and the first mount in a mount
    /// namespace, which is where `AppArmor` refuses what it has let be cloned.
    pub fn refusal(&self) -> Option<String> {
        let (Self::Nursery(NurseryError::Setup(failure)) | Self::System(failure)) = self else { return None };
        let refused =
            [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::ENOSPC, libc::EUSERS].contains(&failure.errno);
        let gate = match failure.call.as_str() {
            "write" => failure.operands.first().is_some_and(|path| path.ends_with("_map\"")),
            // The first mount makes `/` private.
            "mount" => failure.operands.get(1).is_some_and(|target| target == "\"/\""),
            call => call == "clone3" || call == "unshare",
        };
        (refused && gate).then(|| format!("this machine refuses it: {failure}"))
    }
}

/// The most that is shown of what was said.
const SHOWN: usize = 2000;

fn said(stderr: &str) -> String {
    let shown: String = stderr.trim_end().chars().take(SHOWN).collect();
    if shown.is_empty() { String::new() } else { format!("; it said: {shown}") }
}

fn how(ended: Option<Ended>) -> String {
    ended.map_or_else(String::new, |ended| format!("; it {}", in_words(ended)))
}

fn in_words(ended: Ended) -> String {
    match ended {
        Ended::Exited(status) => format!("exited with {status}"),
        Ended::Signaled(number) => format!("was ended by {}", signal_name(number)),
    }
}

/// The runtimes that are no files.
static BUILT_IN: [&dyn Runtime; 2] = [&Native, &Null];

/// What is no sandbox, whatever it claims to be, each with what it is.
pub fn nulls() -> Vec<(&'static str, &'static dyn Runtime)> {
    vec![("no sandbox at all", &Null)]
}

/// Nulls that pretend: they run nothing of what they are given, so that on none of them may any claim pass, not even one that holds
/// anywhere. Nothing is done to the host.
pub fn pretenders() -> Vec<(&'static str, &'static dyn Runtime)> {
    vec![
        ("what exits with 0 and does nothing", &Idle::SUCCEEDS),
        ("what exits with 1", &Idle::FAILS),
        ("a liar in the agent's place", &Liar),
    ]
}

/// The runtime of this name.
pub fn by_name(name: &str) -> Option<&'static dyn Runtime> {
    let built_in = BUILT_IN.iter().find(|runtime| runtime.name() == name).copied();
    built_in.or_else(|| catalogue::by_name(name).map(|runtime| runtime as &dyn Runtime))
}

/// The names of all runtimes.
pub fn names() -> Vec<String> {
    BUILT_IN.iter().map(|runtime| runtime.name().to_owned()).chain(catalogue::names()).collect()
}

/// Adds the runtime that a file describes, and says its name.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn add_runtime(path: &Path) -> Result<&'static str, Problems> {
    catalogue::add(path)
}

/// Removes what was kept for all runtimes: copies of the agent.
///
/// # Errors
/// They cannot be removed.
pub fn remove_agents() -> std::io::Result<()> {
    super::command::remove_agents()
}

/// Adds the runtimes of the user's own folder.
///
/// # Errors
/// Everything that is wrong with one of its files.
pub fn add_users_runtimes() -> Result<(), Problems> {
    catalogue::add_users()
}
