//! The settings of a sandbox, as a spec writes them. What is not set stays `None`: a runtime must be able to tell.

use std::borrow::Cow;
use std::path::{Component, Path};

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::scalar::{Percent, Size};

/// Stands for the path of the sandbox's scratch folder on the host.
const SCRATCH: &str = "{scratch}";

/// The settings of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The root filesystem: the name of a recipe under images/, or the path of an archive. `base` by default.
    pub image: Option<String>,
    /// The first process, as an argv; airtight's own agent by default.
    pub command: Option<Vec<String>>,
    /// The namespaces to create; all eight by default.
    pub new: Option<Namespaces>,
    /// The user and group of the first process, and the user namespace's id map.
    pub user: Option<User>,
    /// The host name in a UTS namespace of its own.
    pub hostname: Option<String>,
    /// The environment, whole: nothing is inherited. `PATH` alone by default.
    pub env: Option<IndexMap<String, String>>,
    /// The working directory; `/` by default.
    pub cwd: Option<String>,
    /// The capabilities of the first process.
    pub capabilities: Option<Capabilities>,
    /// Whether `no_new_privs` is set.
    pub no_new_privs: Option<bool>,
    /// The seccomp filter: `default`, `none`, or the path of a profile relative to the spec.
    pub seccomp: Option<String>,
    /// Whether the root filesystem can be written to.
    pub root: Option<Root>,
    /// What is laid into the image before the runtime is given it, in order: what a hostile image may hold.
    pub planted: Option<Vec<Plant>>,
    /// Further mounts, in order.
    pub mounts: Option<Vec<Mount>>,
    /// Paths that are hidden: /dev/null over a file, an empty read-only tmpfs over a directory.
    pub mask: Option<Vec<String>>,
    /// Paths that are made read-only.
    pub read_only: Option<Vec<String>>,
    /// Devices of the host to add to the minimal /dev, by their path there.
    pub devices: Option<Vec<String>>,
    /// Limits, of the cgroup and of the process.
    pub limits: Option<Limits>,
    /// Kernel parameters to set in the sandbox's namespaces, by their dotted name.
    pub sysctls: Option<IndexMap<String, String>>,
    /// The network.
    pub network: Option<Network>,
    /// Further words for the runtime's own command line.
    pub flags: Option<Vec<String>>,
    /// `poisoned`: what becomes the sandbox is first given all that a careless launcher hands down.
    pub launcher: Option<Launcher>,
    /// `default`: exactly what the runtime gives by itself. `hardened`: as little as a program can live with, which the other
    /// settings may widen again.
    pub profile: Option<Profile>,
}

/// The namespaces to create: a list, or the word `all`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces(pub Vec<Namespace>);

impl Namespaces {
    /// All eight.
    pub fn all() -> Self {
        Self(Namespace::ALL.to_vec())
    }
}

impl<'de> Deserialize<'de> for Namespaces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Namespaces;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a list of namespaces such as `[pid, mount]`, or `all`")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Namespaces, E> {
                if word == "all" {
                    Ok(Namespaces::all())
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(word), &self))
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut words: A) -> Result<Namespaces, A::Error> {
                let mut list = Vec::new();
                while let Some(namespace) = words.next_element()? {
                    list.push(namespace);
                }
                Ok(Namespaces(list))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Namespaces {
    fn schema_name() -> Cow<'static, str> {
        "Namespaces".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let namespace = generator.subschema_for::<Namespace>();
        json_schema!({ "oneOf": [{ "const": "all" }, { "type": "array", "items": namespace, "uniqueItems": true }] })
    }
}

/// A kind of namespace, spelled as unshare(1) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// `user_namespaces(7)`
    User,
    /// `mount_namespaces(7)`
    Mount,
    /// `pid_namespaces(7)`
    Pid,
    /// `network_namespaces(7)`
    Net,
    /// `uts_namespaces(7)`
    Uts,
    /// `ipc_namespaces(7)`
    Ipc,
    /// `cgroup_namespaces(7)`
    Cgroup,
    /// `time_namespaces(7)`
    Time,
}

impl Namespace {
    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::User, Self::Mount, Self::Pid, Self::Net, Self::Uts, Self::Ipc, Self::Cgroup, Self::Time];

    /// Its name as unshare(1) spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Net => "net",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// Its flag for clone3(2), unshare(2) and setns(2).
    pub const fn clone_flag(self) -> i32 {
        match self {
            Self::User => libc::CLONE_NEWUSER,
            Self::Mount => libc::CLONE_NEWNS,
            Self::Pid => libc::CLONE_NEWPID,
            Self::Net => libc::CLONE_NEWNET,
            Self::Uts => libc::CLONE_NEWUTS,
            Self::Ipc => libc::CLONE_NEWIPC,
            Self::Cgroup => libc::CLONE_NEWCGROUP,
            Self::Time => libc::CLONE_NEWTIME,
        }
    }
}

/// Who the first process is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// Its user id inside; 0 by default.
    pub uid: Option<u32>,
    /// Its group id inside; 0 by default.
    pub gid: Option<u32>,
    /// The user namespace's id map, for users and groups alike.
    pub map: Option<Vec<IdRange>>,
}

/// A range of an id map, as `user_namespaces(7)` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdRange {
    /// The first id inside.
    pub inside: u32,
    /// The first id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Capabilities: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub struct Capabilities {
    /// Only these are kept, named without `CAP_`, in lower case: `net_bind_service`.
    pub keep: Option<Vec<String>>,
    /// All but these are kept.
    pub drop: Option<Vec<String>>,
}

/// Whether the root can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// It cannot.
    ReadOnly,
    /// It can; what is written is gone with the sandbox.
    Writable,
}

/// A further mount.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where, inside.
    pub target: String,
    /// The file system's type; a bind mount of `source` where it is left out.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// What: for a bind mount a path of the host.
    #[serde(default)]
    pub source: Option<String>,
    /// Options as mount(8) writes them: `ro`, `nosuid`, `size=1m`.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What is laid into the image: a symbolic link or a file in the place of what is there, or, with `mode` alone, other permissions of
/// what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plant {
    /// Where, in the image. Missing directories above it are made. Only an archive can have `..` in it.
    pub path: String,
    /// A symbolic link to this; `{scratch}` stands for the sandbox's scratch folder on the host.
    pub link: Option<String>,
    /// A further name of this file, which an archive may have for any path; only for engines, which import an archive.
    pub hard_link: Option<String>,
    /// A file with this text.
    pub file: Option<String>,
    /// The permissions, in octal: `"4755"`.
    pub mode: Option<String>,
}

impl Plant {
    /// Whether it takes the place of what is there.
    pub const fn replaces(&self) -> bool {
        self.link.is_some() || self.hard_link.is_some() || self.file.is_some()
    }

    /// Whether it can only be an entry of an archive, and not be laid into a directory.
    pub fn is_of_archive(&self) -> bool {
        self.hard_link.is_some()
            || Path::new(&self.path).components().any(|part| part == Component::ParentDir)
    }
}

/// Limits. Those of the first four belong to the cgroup, the others are rlimits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory, `64MiB`: `memory.max`, `memory.limit_in_bytes`.
    pub memory: Option<Size>,
    /// The number of processes and threads: pids.max.
    pub pids: Option<u64>,
    /// CPU time in percent of one CPU, `50%`: `cpu.max`, `cpu.cfs_quota_us`.
    pub cpu: Option<Percent>,
    /// `RLIMIT_NOFILE`.
    pub nofile: Option<u64>,
    /// `RLIMIT_NPROC`.
    pub nproc: Option<u64>,
    /// `RLIMIT_CORE`.
    pub core: Option<Size>,
    /// `RLIMIT_FSIZE`.
    pub fsize: Option<Size>,
    /// `RLIMIT_STACK`.
    pub stack: Option<Size>,
    /// `RLIMIT_MEMLOCK`.
    pub memlock: Option<Size>,
    /// `RLIMIT_AS`.
    pub address_space: Option<Size>,
}

/// The network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// A network namespace with nothing but its loopback interface, which is up.
    None,
    /// The host's.
    Host,
}

/// What the process is like that becomes the sandbox, or its runtime's command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Launcher {
    /// As the runner is.
    Clean,
    /// It has a descriptor of the host's root directory and one of a file of the host's that is open for writing, a secret in its
    /// environment (`AIRTIGHT_SECRET`), SIGUSR1 blocked, SIGUSR2 ignored, a umask of 077, a niceness of 5, an `oom_score_adj` of 500,
    /// addresses that are not random (personality(2)), a key in its session keyring and one in its user keyring, a controlling
    /// terminal, and the host's root as its working directory.
    Poisoned,
}

/// A named set of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Exactly what the runtime gives by itself.
    Default,
    /// As little as a program can live with: all eight namespaces, no capability, `no_new_privs`, the default seccomp
    /// filter, a read-only root with a small `/tmp`, everything masked that tells of the host, and tight rlimits. Limits of the
    /// cgroup are not among them: not every user can set them.
    Hardened,
}

impl Settings {
    /// Whether they name files by paths that are relative to the spec.
    pub fn names_files(&self) -> bool {
        let of_spec = |path: &String| path.contains('/') || path.contains('.');
        self.image.as_ref().is_some_and(of_spec)
            || self.seccomp_file().is_some()
            || self.mounts.iter().flatten().any(|mount| mount.source.is_some())
    }

    /// The file of its seccomp profile, relative to the spec, if it names one.
    pub fn seccomp_file(&self) -> Option<&str> {
        self.seccomp.as_deref().filter(|word| !["default", "none"].contains(word))
    }

    /// The files of the host that they name by a path relative to the spec.
    pub fn files_beside(&self) -> impl Iterator<Item = &str> {
        let bound = self
            .mounts
            .iter()
            .flatten()
            .filter(|mount| mount.kind.as_deref().is_none_or(|kind| kind == "bind"));
        let bound = bound.filter_map(|mount| mount.source.as_deref());
        self.seccomp_file().into_iter().chain(bound.filter(|path| !path.starts_with(['/', '{'])))
    }

    /// Whether they are hostile: something is planted, or they lead to the scratch folder.
    pub fn are_hostile(&self) -> bool {
        self.planted.is_some() || self.texts_of_scratch().any(|text| text.contains(SCRATCH))
    }

    /// The same without what is hostile in them: a runtime that starts no sandbox of the one must start one of the other, or it
    /// has refused nothing.
    #[must_use]
    pub fn without_hostility(&self) -> Self {
        let is_plain = |mount: &&Mount| {
            let texts = mount.source.iter().chain([&mount.target]);
            !texts.into_iter().any(|text| text.contains(SCRATCH))
        };
        let mounts = self.mounts.as_ref().map(|mounts| mounts.iter().filter(is_plain).cloned().collect());
        Self { planted: None, cwd: None, mounts, ..self.clone() }
    }

    /// The same with the path of the scratch folder in its place.
    #[must_use]
    pub fn with_scratch(&self, path: &str) -> Self {
        let mut filled = self.clone();
        let planted = filled.planted.iter_mut().flatten();
        let links = planted
            .flat_map(|plant| plant.link.iter_mut().chain(&mut plant.hard_link).chain([&mut plant.path]));
        let mounts = filled.mounts.iter_mut().flatten();
        let texts = links
            .chain(mounts.flat_map(|mount| mount.source.iter_mut().chain([&mut mount.target])))
            .chain(filled.cwd.as_mut());
        for text in texts {
            *text = text.replace(SCRATCH, path);
        }
        filled
    }

    fn texts_of_scratch(&self) -> impl Iterator<Item = &String> {
        let mounts = self.mounts.iter().flatten();
        mounts.flat_map(|mount| mount.source.iter().chain([&mount.target])).chain(&self.cwd)
    }

    /// These settings with `other`'s in the place of those it sets.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        macro_rules! overlay {
            ($($field:ident),*) => {
                Self { $($field: other.$field.clone().or_else(|| self.$field.clone())),* }
            };
        }
        overlay!(
            image,
            command,
            new,
            user,
            hostname,
            env,
            cwd,
            capabilities,
            no_new_privs,
            seccomp,
            root,
            planted,
            mounts,
            mask,
            read_only,
            devices,
            limits,
            sysctls,
            network,
            flags,
            launcher,
            profile
        )
    }
}
