//! The keys of scenarios, claims and steps, as types: they decode them, and the JSON schema is generated from them.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::scalar::Span;
use super::settings::Settings;

/// A scenario: a sandbox, or several, and the claims made of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub(super) struct ScenarioHead {
    /// One sentence: what this is about.
    pub(super) scenario: String,
    /// One sentence of rationale, printed when a claim fails.
    #[serde(default)]
    pub(super) why: Option<String>,
    /// References: `man:…`, `cve:…`, `oci:…`, `cis-docker:…`, a URL.
    #[serde(default)]
    pub(super) see: Vec<String>,
    /// Words to filter by.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// What must be there, else the claims are skipped: `kernel >= 5.6`, `cgroup v2`, `root`, `program ip`.
    #[serde(default)]
    pub(super) needs: Vec<String>,
    /// Restricts the runtimes; all usable ones by default.
    #[serde(default)]
    pub(super) runtimes: Vec<String>,
    /// The time limit of each claim; 30 s by default.
    #[serde(default)]
    pub(super) timeout: Option<Span>,
    /// The sandbox.
    #[serde(default)]
    pub(super) sandbox: Option<Settings>,
    /// Several sandboxes, by name.
    #[serde(default)]
    pub(super) sandboxes: Option<IndexMap<String, Settings>>,
    /// Rows: a grid `{signal: [SIGTERM, SIGKILL]}` or a list of maps; each row is a scenario of its own.
    #[serde(default, rename = "for_each")]
    pub(super) _for_each: Later<Rows>,
    /// The claims, each a sentence that must hold.
    #[serde(default, rename = "claims")]
    pub(super) _claims: Later<Claims>,
    /// Named blocks of claims with parameters.
    #[serde(default, rename = "define")]
    pub(super) _define: Later<Define>,
    /// Blocks whose claims join these.
    #[serde(default, rename = "use")]
    pub(super) _use: Later<Uses>,
}

/// A claim, without its step.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Claim")]
pub(super) struct ClaimHead {
    /// One sentence of rationale, printed when the claim fails.
    pub(super) why: Option<String>,
    /// References: `man:…`, `cve:…`, `oci:…`, `cis-docker:…`, a URL.
    pub(super) see: Vec<String>,
    /// Words to filter by.
    pub(super) tags: Vec<String>,
    /// What must be there, else the claim is skipped: `kernel >= 5.6`, `cgroup v2`, `root`, `program ip`.
    pub(super) needs: Vec<String>,
    /// Restricts the runtimes; all usable ones by default.
    pub(super) runtimes: Vec<String>,
    /// The time limit; 30 s by default.
    pub(super) timeout: Option<Span>,
    /// Settings added to those of the first sandbox.
    pub(super) with: Option<Settings>,
    /// Holds even without a sandbox.
    pub(super) holds_anywhere: bool,
    /// Where it is known not to hold.
    pub(super) known_issue: Issues,
    /// Rows: a grid or a list of maps; each row is a test of its own.
    #[serde(rename = "for_each")]
    pub(super) _for_each: Later<Rows>,
    /// Where this is false, the claim is not measured.
    #[serde(rename = "given")]
    pub(super) _given: Later<Viewpoints>,
    /// A story, in order.
    #[serde(rename = "steps")]
    pub(super) _steps: Later<Steps>,
}

/// The keys of a claim that are not its step's.
pub(super) const CLAIM_KEYS: [&str; 12] = [
    "why",
    "see",
    "tags",
    "needs",
    "runtimes",
    "timeout",
    "with",
    "holds_anywhere",
    "known_issue",
    "for_each",
    "given",
    "steps",
];

/// A defect that is known, or several.
#[derive(Debug, Default)]
pub(super) struct Issues(pub(super) Vec<Issue>);

impl<'de> Deserialize<'de> for Issues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Issues;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a mapping, or a list of mappings")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Issues, A::Error> {
                let issue = Issue::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Issues(vec![issue]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Issues, A::Error> {
                let mut issues = Vec::new();
                while let Some(issue) = list.next_element()? {
                    issues.push(issue);
                }
                Ok(Issues(issues))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Issues {
    fn schema_name() -> Cow<'static, str> {
        "Issues".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let issue = generator.subschema_for::<Issue>();
        json_schema!({ "anyOf": [issue, { "type": "array", "minItems": 1, "items": issue }] })
    }
}

/// A defect that is known: the claim must keep failing there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Issue {
    /// Only on this runtime.
    #[serde(default)]
    pub(super) runtime: Option<String>,
    /// Only on kernels whose release is like this.
    #[serde(default)]
    pub(super) kernel: Option<String>,
    /// Where it is discussed.
    pub(super) link: String,
    /// Why it fails.
    pub(super) because: String,
    /// The last day on which it is an excuse: `2027-01-31`.
    #[serde(default)]
    pub(super) until: Option<String>,
}

/// A step, without its viewpoints.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Step")]
pub(super) struct StepHead {
    /// This command is the sandbox's first process.
    pub(super) run: Option<CommandWords>,
    /// A further process in the running sandbox.
    pub(super) exec: Option<CommandWords>,
    /// A command on the host, with `$AIRTIGHT_PID`, `$AIRTIGHT_ROOTFS` and `$AIRTIGHT_ID` set.
    #[serde(rename = "host.run")]
    pub(super) host_run: Option<CommandWords>,
    /// A signal that is sent.
    pub(super) kill: Option<KillHead>,
    /// A further agent enters the sandbox the way `exec` does; the name is then a viewpoint.
    pub(super) join: Option<String>,
    /// The sandbox, where several are named; the first by default.
    #[serde(rename = "in")]
    pub(super) sandbox: Option<String>,
    /// Leaves the command running in the background: `outside NAME` then looks at it.
    #[serde(rename = "as")]
    pub(super) name: Option<String>,
    /// The command changes nothing, so that the sandbox can be shared.
    pub(super) pure: Option<bool>,
    /// Text for the command's standard input; empty by default.
    pub(super) stdin: Option<String>,
    /// The command's exit status; 0 unless said otherwise.
    #[serde(rename = "exit")]
    pub(super) _exit: Later<Exit>,
    /// The signal that ends the command.
    #[serde(rename = "signal")]
    pub(super) _signal: Later<Signal>,
    /// The command's standard output, without one trailing newline.
    #[serde(rename = "stdout")]
    pub(super) _stdout: Later<Output>,
    /// The command's standard error, without one trailing newline.
    #[serde(rename = "stderr")]
    pub(super) _stderr: Later<Output>,
    /// Becomes true before this has passed.
    pub(super) within: Option<Span>,
    /// Remains true throughout.
    pub(super) stays: Option<Span>,
}

/// The keys of a step that are not viewpoints.
pub(super) const STEP_KEYS: [&str; 15] = [
    "run", "exec", "host.run", "kill", "join", "in", "as", "pure", "stdin", "exit", "signal", "stdout",
    "stderr", "within", "stays",
];

/// A signal that is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kill")]
pub(super) struct KillHead {
    /// `first`, or a name that a step gave with `as`.
    pub(super) process: String,
    /// Who sends it.
    #[serde(default)]
    pub(super) from: SenderWord,
    /// The signal: `SIGKILL`.
    pub(super) signal: String,
    /// The sandbox of `first`, where several are named.
    #[serde(default, rename = "in")]
    pub(super) sandbox: Option<String>,
}

/// Who sends a signal.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Sender")]
pub(super) enum SenderWord {
    /// The runner.
    #[default]
    Host,
    /// The agent inside.
    Inside,
    /// The runtime's own command, `docker kill`; to the sandbox's first process alone.
    Runtime,
}

/// A named block of claims.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Block")]
pub(super) struct BlockHead {
    /// The names that the claims may use as `${name}`.
    #[serde(default)]
    pub(super) parameters: Vec<String>,
    /// The claims.
    #[serde(default, rename = "claims")]
    pub(super) _claims: Later<Claims>,
}

/// The use of a block.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Use")]
pub(super) struct UseHead {
    /// The block's name.
    pub(super) block: String,
    /// The spec that defines it, relative to this one; this one by default.
    #[serde(default)]
    pub(super) from: Option<String>,
    /// Its parameters.
    #[serde(default, rename = "set")]
    pub(super) _set: Later<Row>,
}

/// The words of a command: a text for `sh -c`, or an argv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandWords {
    Shell(String),
    Argv(Vec<String>),
}

impl<'de> Deserialize<'de> for CommandWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = CommandWords;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a command for the shell, or a list of words")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CommandWords, E> {
                Ok(CommandWords::Shell(text.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut words: A) -> Result<CommandWords, A::Error> {
                let mut argv = Vec::new();
                while let Some(word) = words.next_element()? {
                    argv.push(word);
                }
                Ok(CommandWords::Argv(argv))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for CommandWords {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "items": { "type": "string" } }
        ] })
    }
}

/// A part that is decoded by hand, against the tables. Here it only takes its place among the keys.
#[derive(Debug)]
pub(super) struct Later<T>(std::marker::PhantomData<T>);

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, T> Deserialize<'de> for Later<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self::default())
    }
}

impl<T: Part> JsonSchema for Later<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let reference = format!("#/definitions/{}", T::NAME);
        json_schema!({ "$ref": reference })
    }
}

/// A part that is decoded by hand: the name of its schema.
pub(super) trait Part {
    /// The schema's name under `definitions`.
    const NAME: &'static str;
}

macro_rules! parts {
    ($($name:ident),*) => { $(
        #[derive(Debug)]
        pub(super) enum $name {}
        impl Part for $name {
            const NAME: &'static str = stringify!($name);
        }
    )* };
}

parts!(Rows, Row, Claims, Define, Uses, Viewpoints, Steps, Exit, Signal, Output);
