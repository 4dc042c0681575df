//! A spec as it was written, typed, with positions. One [`Scenario`] per row of its `for_each`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use crate::expect::{Expectation, Span};
use crate::fact::{Attempt, Fact, View};

use super::settings::Settings;
use super::source::Source;

/// The time limit of a claim that sets none.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// One spec file, decoded.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its path as the user named it.
    pub path: PathBuf,
    /// Its text, to draw the line that a failed claim is about.
    pub text: String,
    /// Its scenarios, in order; one per document and row.
    pub scenarios: Vec<Scenario>,
}

/// A sandbox, or several, and the claims made of it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The sentence.
    pub name: String,
    /// The row of `for_each` that this is, as `signal=SIGTERM, image=base`; empty without `for_each`.
    pub row: String,
    /// Where the sentence stands.
    pub at: Span,
    /// Shared with claims.
    pub about: About,
    /// The sandboxes by name, in order; a single `sandbox:` has the name `inside`.
    pub sandboxes: IndexMap<String, Settings>,
    /// The claims; one per row of their own `for_each`. Never empty.
    pub claims: Vec<Claim>,
}

/// What a scenario and a claim can both say. A claim's `see`, `tags` and `needs` come on top of its scenario's.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// One sentence of rationale.
    pub why: Option<String>,
    /// References.
    pub see: Vec<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// What must be there.
    pub needs: Vec<Need>,
    /// The runtimes it is restricted to; empty: not restricted.
    pub runtimes: Vec<RuntimeName>,
    /// The time limit; for want of one a claim has that of its scenario, and else [`TIMEOUT`].
    pub timeout: Option<Duration>,
}

/// A runtime, as it is named.
#[derive(Debug, Clone)]
pub struct RuntimeName {
    /// The name, which may be that of none.
    pub name: String,
    /// Where it stands.
    pub at: Span,
    /// In which file.
    pub source: Arc<Source>,
}

/// One need, with the words it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As written: `kernel >= 5.6`.
    pub text: String,
    /// What it asks for.
    pub kind: NeedKind,
}

/// What a need asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeedKind {
    /// `kernel >= 5.6`: at least this version, number by number.
    Kernel(Vec<u32>),
    /// `cgroup v1`, `cgroup v2`: a hierarchy of this version that can be written to.
    Cgroup(u8),
    /// `root`: the runner is uid 0.
    Root,
    /// `unprivileged`: it is not.
    Unprivileged,
    /// `namespace time`: the kernel has this kind.
    Namespace(String),
    /// `program ip`: this program is on the host's PATH.
    Program(String),
    /// `runtime can limits`: the runtime expresses this setting.
    RuntimeCan(String),
    /// `config CONFIG_SECCOMP`: the kernel was built with it.
    Config(String),
    /// `landlock >= 4`: the kernel runs with at least this version of Landlock's ABI.
    Landlock(u32),
    /// `vm`: the kernel was booted for nothing but the claims, so that what harms it harms nobody.
    Vm,
    /// `image debian-12`: this image is there or can be built.
    Image(String),
}

/// One claim: one sentence that must hold, one test.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The sentence.
    pub name: String,
    /// The row of its own `for_each`; empty without.
    pub row: String,
    /// The file that it was written in, which all its positions point into: of a claim that came by `use` another than the
    /// scenario's.
    pub source: Arc<Source>,
    /// Where the sentence stands.
    pub at: Span,
    /// What it says besides.
    pub about: About,
    /// Settings added to those of the first sandbox.
    pub with: Option<Settings>,
    /// Where these are false, the claim is not measured.
    pub given: Vec<Seen>,
    /// What is known not to hold.
    pub known_issues: Vec<KnownIssue>,
    /// Holds even without a sandbox.
    pub holds_anywhere: bool,
    /// The story. Never empty, and at least one step expects something of a sandbox.
    pub steps: Vec<Step>,
}

/// A defect that is known: the claim must keep failing there.
#[derive(Debug, Clone)]
pub struct KnownIssue {
    /// Only on this runtime; on all if `None`.
    pub runtime: Option<String>,
    /// Only on kernels whose release matches this glob.
    pub kernel: Option<String>,
    /// Where it is discussed.
    pub link: String,
    /// Why it fails.
    pub because: String,
    /// The last day, `2027-01-31`, on which it is an excuse.
    pub until: Option<String>,
}

/// One step of a claim: first the action, then what must be seen.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands.
    pub at: Span,
    /// When it must hold.
    pub pace: Pace,
    /// What is done.
    pub action: Option<Action>,
    /// What is expected, view by view.
    pub seen: Vec<Seen>,
}

/// When a step's expectations must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Now,
    /// `within`: become true before this has passed. An `exec` without `as` is repeated.
    Within(Duration),
    /// `stays`: true throughout.
    Stays(Duration),
}

/// What is expected from one viewpoint.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Who looks.
    pub view: View,
    /// Where the viewpoint's word stands.
    pub at: Span,
    /// The facts, in order. Never empty.
    pub facts: Vec<Expected>,
}

/// One expectation of one fact.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The fact, or the attempt.
    pub subject: Asked,
    /// Its argument: the path of `files`, the object of an attempt; empty where it takes none.
    pub argument: String,
    /// Where its name (or its argument, if it has one) stands.
    pub at: Span,
    /// What is expected.
    pub expectation: Expectation,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Asked {
    /// A fact of the table.
    Fact(&'static Fact),
    /// An attempt of the table.
    Attempt(&'static Attempt),
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// `run`: this command is the sandbox's first process.
    Run(Command),
    /// `exec`: a further process in the running sandbox.
    Exec(Command),
    /// `host.run`: on the host.
    HostRun(Command),
    /// `kill`.
    Kill(Kill),
    /// `join: NAME`: a further agent enters the sandbox the way `exec` does; `NAME` is then a viewpoint.
    Join {
        /// Its name.
        name: String,
        /// The sandbox it enters.
        sandbox: String,
    },
}

/// A command and what is expected of it.
#[derive(Debug, Clone)]
pub struct Command {
    /// What is run: a text is given to `sh -c`, a list is an argv.
    pub words: Words,
    /// The sandbox it runs in; `inside` where there is only one.
    pub sandbox: String,
    /// `as: NAME`: it is left running in the background, and `outside NAME` looks at it.
    pub name: Option<String>,
    /// `pure`: it changes nothing, so that the sandbox can be shared.
    pub pure: bool,
    /// Text for its standard input; empty and closed by default.
    pub stdin: String,
    /// `exit`; 0 unless said otherwise or `signal` is given. `None` with `as`.
    pub exit: Option<Expectation>,
    /// `signal`: the name of the signal that ends it.
    pub signal: Option<Expectation>,
    /// `stdout`, without one trailing newline.
    pub stdout: Option<Expectation>,
    /// `stderr`, likewise.
    pub stderr: Option<Expectation>,
}

/// The words of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// For `sh -c`.
    Shell(String),
    /// An argv; never empty.
    Argv(Vec<String>),
}

/// `kill`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// `first`, or the name that a step gave with `as`.
    pub process: String,
    /// The sandbox of `first`.
    pub sandbox: String,
    /// Who sends it.
    pub from: Sender,
    /// The signal's number.
    pub signal: i32,
}

/// Who sends a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The runner, through the pidfd.
    Host,
    /// The agent in the sandbox, with kill(2).
    Inside,
    /// The runtime's own command, to the sandbox's first process.
    Runtime,
}

/// A row of `for_each`: typed values by name.
pub type Row = IndexMap<String, Value>;
