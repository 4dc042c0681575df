//! What a runtime's YAML file says: how it is found, run, and asked, and how each setting of a sandbox is spelled for it.

use std::time::Duration;

use indexmap::IndexMap;
use regex::Regex;
use serde::{Deserialize, Deserializer, de};

use super::ask::PATIENCE;
use super::in_vm::InVm;
use super::known::KnownIssue;
use super::unprivileged::Unprivileged;
use super::words::Word;
use crate::spec::{Namespace, Settings, Span};

/// A runtime.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    /// Its name, which is its file's too.
    pub(super) runtime: Name,
    /// One sentence.
    pub(super) about: String,
    /// Its documentation.
    #[serde(default)]
    pub(super) see: Vec<String>,
    /// The program; it is looked for on the PATH, and is `{program}`.
    pub(super) program: String,
    /// Other programs that must be there. A word of the command line that is just one of their names stands for its whole path.
    #[serde(default)]
    pub(super) programs: Vec<String>,
    /// How its version is read.
    pub(super) version: Version,
    /// What it needs of who runs it, unless `unprivileged` says what is otherwise for an ordinary user.
    #[serde(default)]
    pub(super) needs: Vec<Need>,
    /// What is otherwise for an ordinary user.
    pub(super) unprivileged: Option<Unprivileged>,
    /// What it has of the host where it is run in a VM, besides `program` and `programs`.
    #[serde(default)]
    pub(super) vm: InVm,
    /// Why it is not tried by airtight's own tests, if it is not.
    pub(super) untested: Option<String>,
    /// In what form it takes a root filesystem.
    pub(super) rootfs: Rootfs,
    /// Whether the root that its processes have is a copy or an overlay of the one that it is given. Otherwise the host holds that it is
    /// that one.
    #[serde(default)]
    pub(super) copies_root: bool,
    /// Writes the `config.json` that it makes by itself into `{bundle}`, or prints it.
    pub(super) bundle: Option<Vec<Word>>,
    /// How an engine is given an image.
    pub(super) image: Option<ImageStore>,
    /// Mounts of the host that it must not see: they are unmounted in its own mount namespace or, where they are not an ordinary user's to
    /// unmount, hidden under an empty directory.
    #[serde(default)]
    pub(super) unmount: Vec<String>,
    /// Directories and, without a slash at their end, empty files that it needs in a root filesystem, and makes in none.
    #[serde(default)]
    pub(super) places: Vec<String>,
    /// Files that it must find in other than the host's form, in its own mount namespace: path and text.
    #[serde(default)]
    pub(super) files: IndexMap<String, String>,
    /// The command line that runs `{command}`, its standard streams being the runtime's own.
    pub(super) run: Vec<Word>,
    /// The command line that runs `{command}` as a further process.
    pub(super) exec: Option<Vec<Word>>,
    /// What it says of a sandbox, by the names under which claims ask for it.
    #[serde(default)]
    pub(super) reports: IndexMap<String, ReportForm>,
    /// Where it keeps what it knows of sandboxes that others have it run.
    pub(super) state: Option<String>,
    /// The command line that sends the first process a signal, `{signal}`: `SIGTERM`.
    pub(super) kill: Option<Vec<Word>>,
    /// The command line that ends the sandbox, and removes what a daemon keeps of it.
    pub(super) delete: Option<Vec<Word>>,
    /// The words, `{removes_itself}`, with which what `run` starts has removed the sandbox when it has ended by itself, so that `delete` is for
    /// those only where it has not. They are left out where a claim asks for what the runtime says after the end. An empty list: it does so
    /// anyway.
    pub(super) removes_itself: Option<Vec<String>>,
    /// The command line that prints the names of all sandboxes that it keeps, one a line.
    pub(super) list: Option<Vec<Word>>,
    /// How long it may take to answer when it is asked something, `10s` by default; to take an image it has six times as long.
    pub(super) patience: Option<Span>,
    /// A command line that succeeds if it can be used: a daemon answers.
    pub(super) ready: Option<Vec<Word>>,
    /// How settings are spelled.
    #[serde(default)]
    pub(super) settings: Spellings,
    /// What it cannot express, and why; by a setting, or `SETTING.PART`.
    #[serde(default)]
    pub(super) cannot: IndexMap<String, String>,
    /// What `profile: hardened` means for it: as tight as its own flags make it.
    pub(super) hardened: Option<Settings>,
    /// `flags` without which others are of no use, and which a proof adds where they are missing.
    #[serde(default)]
    pub(super) flags_to_add: Vec<String>,
    /// What it does that a reader would not expect.
    #[serde(default)]
    pub(super) quirks: Vec<String>,
    /// What it is known not to give.
    #[serde(default)]
    pub(super) known_issues: Vec<KnownIssue>,
}

/// How a version is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    /// What prints it.
    pub(super) run: Vec<Word>,
    /// A pattern whose first group is the version.
    pub(super) matches: Pattern,
}

/// A runtime's name: a word of a command line, and of a test's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

/// The names that airtight gives itself.
const TAKEN: [&str; 7] = ["native", "none", "all", "attached", "exit-0", "exit-1", "liar"];

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let is_word =
            |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if name.is_empty() || !is_word(&name) {
            return Err(de::Error::custom(format!(
                "`{name}` is no name: write lower-case letters, digits and hyphens"
            )));
        }
        if TAKEN.contains(&name.as_str()) {
            return Err(de::Error::custom(format!("the name `{name}` is taken: give the runtime another")));
        }
        Ok(Self(name))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A regular expression.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) Regex);

impl Definition {
    /// How long it may take to answer. A VM's processor is emulated, by a host that may have others to serve.
    pub(super) fn patience(&self) -> Duration {
        let patience = self.patience.map_or(PATIENCE, |Span(patience)| patience);
        patience.saturating_mul(if crate::vm::is_guest() { 10 } else { 1 })
    }

    /// How long it may take to take an image.
    pub(super) fn patience_for_images(&self) -> Duration {
        self.patience().saturating_mul(6)
    }

    /// Whether bind mounts are made in the root before it starts, because it has no words for mounts.
    pub(super) fn binds_for_itself(&self) -> bool {
        self.rootfs == Rootfs::Directory && self.settings.mounts.is_empty()
    }

    /// Whether it is given the agent by a word of its own, `{agent}`, and not in the root filesystem.
    pub(super) fn takes_agent(&self) -> bool {
        self.rootfs == Rootfs::Imported || self.run.iter().any(Word::names_agent)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |error: regex::Error| {
            let reason =
                error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            de::Error::custom(format!("`{text}` is not a regular expression: {reason}"))
        };
        Regex::new(&text).map(Self).map_err(wrong)
    }
}

/// A report: a command line that prints JSON, and JSON pointers (RFC 6901) to what is held against the host's view.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportForm {
    pub(super) run: Vec<Word>,
    /// The PID of the first process.
    pub(super) pid: Option<String>,
    /// The status, as a text.
    pub(super) status: Option<String>,
    pub(super) exit_code: Option<String>,
    /// A mapping from `NEWNS`, `NEWPID` and so on to paths.
    pub(super) namespaces: Option<String>,
}

/// What a runtime needs of who runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Need {
    /// The user 0.
    Root,
}

/// In what form a runtime takes a root filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rootfs {
    /// A directory, `{rootfs}`, in its own mount namespace.
    Directory,
    /// The same in an OCI bundle, `{bundle}`, whose `config.json` the settings are written to.
    Bundle,
    /// An image of its own store, `{image}`.
    Imported,
}

/// How an engine is given an image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageStore {
    /// What it takes.
    #[serde(default)]
    pub(super) form: Form,
    /// Succeeds if the engine has `{image}`.
    pub(super) has: Vec<Word>,
    /// Takes the image on its standard input, as `{image}`.
    pub(super) import: Vec<Word>,
    /// Prints the names of the images that airtight has imported, one a line.
    pub(super) list: Vec<Word>,
    /// Removes `{image}`.
    pub(super) remove: Vec<Word>,
}

/// What an engine takes for an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// A tar of the root filesystem.
    #[default]
    Rootfs,
    /// An archive as `docker save` writes it.
    Docker,
}

/// How settings are spelled on a command line. What has no spelling cannot be set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Spellings {
    pub(super) new: Option<New>,
    /// `{uid}` and `{gid}`, each 0 where only the other is given.
    pub(super) user: Option<Vec<Word>>,
    /// For each range: `{inside}`, `{outside}`, `{count}`. The words make a user namespace, and the root filesystem is laid out for the map.
    pub(super) map: Option<Vec<Word>>,
    /// The same of a runtime that knows a single range, from 0 on: `{outside}`, `{count}`.
    pub(super) map_from_zero: Option<Vec<Word>>,
    /// `{value}`
    pub(super) hostname: Option<Vec<Word>>,
    /// For each variable: `{name}`, `{value}`. Where the command line has `{env}`, they stand there, and else among the settings.
    pub(super) env: Option<Each>,
    /// `{value}`
    pub(super) cwd: Option<Vec<Word>>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) no_new_privs: Option<Switch>,
    pub(super) seccomp: Option<Seccomp>,
    pub(super) root: Option<Root>,
    pub(super) mounts: Vec<MountForm>,
    pub(super) mask: Option<Mask>,
    /// For each path: `{path}`, and `{origin}`, where the host finds what is there: in the root filesystem or, below `/proc`, `/sys` and
    /// `/dev`, under the same path.
    pub(super) read_only: Option<Vec<Word>>,
    /// For each device: `{path}`.
    pub(super) devices: Option<Vec<Word>>,
    /// By the limit's name: `{value}`, of memory in bytes; of `cpu` also `{cpus}` and `{percent}`.
    pub(super) limits: IndexMap<String, Vec<Word>>,
    /// For each parameter: `{name}`, `{value}`.
    pub(super) sysctls: Option<Vec<Word>>,
    pub(super) network: Option<Network>,
    /// Flags that are to be given to the runtime in another form than a spec writes them.
    pub(super) flags: IndexMap<String, Word>,
}

/// How namespaces are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct New {
    /// What is said before the others, whatever is asked for.
    pub(super) first: Vec<Word>,
    /// Those that are always there.
    pub(super) always: Vec<Namespace>,
    /// Those that are there by default, and how each is left out.
    pub(super) without: IndexMap<Namespace, Vec<Word>>,
    /// Those that are not, and how each is asked for.
    pub(super) with: IndexMap<Namespace, Vec<Word>>,
}

/// Words for a list: some before it, and some for each of its elements.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Each {
    pub(super) first: Vec<Word>,
    pub(super) each: Vec<Word>,
}

/// How capabilities are given. `{name}` is `net_raw`, `{NAME}` is `NET_RAW`, `{names}` are all of them with commas.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Capabilities {
    pub(super) keep: Option<Each>,
    pub(super) drop: Option<Each>,
    /// Where none are kept; as `keep` without any, if this is left out.
    pub(super) none: Option<Vec<Word>>,
}

/// Something that is on or off. An empty list: it is so anyway.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Switch {
    pub(super) set: Option<Vec<Word>>,
    pub(super) unset: Option<Vec<Word>>,
}

/// The seccomp filter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Seccomp {
    /// The runtime's own.
    pub(super) default: Option<Vec<Word>>,
    pub(super) none: Option<Vec<Word>>,
    /// A file, `{path}`.
    pub(super) profile: Option<Vec<Word>>,
}

/// The words that stand for `{root}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Root {
    /// Where nothing is asked for.
    pub(super) unset: Vec<Word>,
    pub(super) read_only: Option<Vec<Word>>,
    pub(super) writable: Option<Vec<Word>>,
}

/// How a mount of one kind is written. The first that fits is taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MountForm {
    /// `bind`, `tmpfs`, `proc` and so on.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Exactly these; where it is left out, any, and `{options}` has them with commas.
    pub(super) options: Option<Vec<String>>,
    /// `{source}`, `{target}` and `{place}`: `file` where the source is one, else `dir`.
    pub(super) words: Vec<Word>,
}

/// How `{path}` is hidden.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mask {
    pub(super) file: Vec<Word>,
    pub(super) directory: Vec<Word>,
}

/// The network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Network {
    pub(super) none: Option<Vec<Word>>,
    pub(super) host: Option<Vec<Word>>,
}
