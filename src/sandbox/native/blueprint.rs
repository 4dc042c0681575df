//! Everything a native sandbox is, resolved: what crosses to the nursery, and what a further process needs to be like the first.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::defaults;
use super::defects::Defect;
use crate::spec::{Namespace, Plant};

/// A native sandbox, down to the last id and mask.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blueprint {
    /// An empty directory of this run: the place in the sandbox's own mount namespace where its root is put together.
    pub stage: PathBuf,
    /// The image's root, which is never written to.
    pub image: PathBuf,
    /// Whether the image's owners are shown through the id map where the sandbox's root is another user: its files are the
    /// host root's.
    pub maps_image: bool,
    /// The namespaces to create.
    pub namespaces: Vec<Namespace>,
    /// Who it is.
    pub identity: Identity,
    /// Its root is not that of its mount namespace: a further process must be chrooted to the first one's.
    pub chrooted: bool,
    /// The host name, in a UTS namespace of its own.
    pub hostname: Option<String>,
    /// The whole environment.
    pub env: IndexMap<String, String>,
    /// The working directory.
    pub cwd: String,
    /// What the root is made of.
    pub root: RootPlan,
    /// What it may do.
    pub confinement: Confinement,
    /// `RLIMIT_*` numbers and values, soft and hard alike.
    pub rlimits: Vec<(u32, u64)>,
    /// Limits of the cgroup; none: it stays in the runner's.
    pub cgroup: CgroupLimits,
    /// Kernel parameters to set, dotted.
    pub sysctls: IndexMap<String, String>,
    /// Whether its launcher is poisoned: what it must not inherit is there to be inherited.
    pub poisoned: bool,
    /// What is wrong with it, on purpose.
    pub defects: Vec<Defect>,
}

/// Ids.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Identity {
    /// The user id inside.
    pub uid: u32,
    /// The group id inside.
    pub gid: u32,
    /// The id map of a new user namespace.
    pub map: IdMap,
}

impl Identity {
    /// Whose the sandbox's own file systems are, as mount options: its root's, or, where only one id is mapped, that one's. An
    /// id that is not mapped is EINVAL (`user_namespaces(7)`).
    pub fn owner(&self) -> String {
        match self.map {
            IdMap::Own { uid, gid } => format!("uid={uid},gid={gid}"),
            _ => "uid=0,gid=0".to_owned(),
        }
    }
}

/// How a new user namespace's ids are mapped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdMap {
    /// There is no new user namespace.
    #[default]
    None,
    /// These ranges, written by root: (inside, outside, count).
    Ranges(Vec<(u32, u32, u32)>),
    /// One user and one group, the runner's own, which the kernel lets anyone map.
    Own {
        /// What the runner's own user id becomes.
        uid: u32,
        /// What its group id becomes.
        gid: u32,
    },
    /// The runner's own id and subordinate ranges, written by newuidmap(1) and newgidmap(1).
    Subordinate {
        /// The ranges of users.
        users: Vec<(u32, u32, u32)>,
        /// The ranges of groups.
        groups: Vec<(u32, u32, u32)>,
    },
}

/// What the root is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RootPlan {
    /// Whether the root is read-only in the end.
    pub read_only: bool,
    /// Whether its mount is nosuid and nodev as well.
    pub strict: bool,
    /// What is laid into the image.
    pub planted: Vec<Plant>,
    /// Further mounts.
    pub mounts: Vec<MountPlan>,
    /// Hidden paths.
    pub masks: Vec<String>,
    /// Paths that are read-only.
    pub read_only_paths: Vec<String>,
    /// Devices of the host, by path.
    pub devices: Vec<String>,
}

/// A further mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountPlan {
    /// Where, inside.
    pub target: String,
    /// The file system type; `None` binds `source`.
    pub kind: Option<String>,
    /// The source.
    pub source: String,
    /// Options as mount(8) writes them.
    pub options: Vec<String>,
}

/// What the processes may do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// Capabilities that are kept, by number.
    pub capabilities: Vec<u8>,
    /// `no_new_privs`.
    pub no_new_privs: bool,
    /// The seccomp filter.
    pub seccomp: Seccomp,
}

/// A seccomp filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Seccomp {
    /// None.
    #[default]
    None,
    /// The documented default profile.
    Default,
    /// A profile in the form of the OCI runtime specification, its text.
    Profile(String),
}

/// Limits of a cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Percent of one CPU.
    pub cpu: Option<u64>,
}

impl CgroupLimits {
    /// Whether a cgroup is needed at all.
    pub const fn any(&self) -> bool {
        self.memory.is_some() || self.pids.is_some() || self.cpu.is_some()
    }
}

/// What a process of the sandbox becomes once it is set up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Role {
    /// The agent, on its standard streams.
    Agent {
        /// The token that it says hello with.
        token: String,
    },
    /// This program.
    Command {
        /// Its argv; never empty.
        argv: Vec<String>,
    },
}

impl Blueprint {
    /// Nothing but the host's own namespaces, root and ids, with `PATH` for an environment.
    pub fn bare() -> Self {
        Self {
            stage: PathBuf::new(),
            image: PathBuf::new(),
            maps_image: false,
            namespaces: Vec::new(),
            identity: Identity::default(),
            chrooted: false,
            hostname: None,
            env: defaults::environment(),
            cwd: "/".to_owned(),
            root: RootPlan::default(),
            confinement: Confinement::default(),
            rlimits: Vec::new(),
            cgroup: CgroupLimits::default(),
            sysctls: IndexMap::new(),
            poisoned: false,
            defects: Vec::new(),
        }
    }

    /// Whether its root is another user than the runner: then the sandbox may not reach the image by its path, and is handed
    /// the mount.
    pub const fn is_other(&self) -> bool {
        matches!(self.identity.map, IdMap::Ranges(_))
    }

    /// Whether a sandbox of it can be made before it is asked for, and wait: nothing in it changes anything outside it, or
    /// depends on what a claim may change before.
    pub fn can_wait(&self) -> bool {
        let untouched =
            self.root.mounts.is_empty() && self.root.devices.is_empty() && self.sysctls.is_empty();
        let untouched = untouched && self.root.planted.is_empty();
        let apart = self.creates(Namespace::Pid) && self.creates(Namespace::Mount);
        apart && untouched && !self.cgroup.any() && self.defects.is_empty() && !self.poisoned
    }

    /// Whether it creates this kind of namespace.
    pub fn creates(&self, namespace: Namespace) -> bool {
        self.namespaces.contains(&namespace)
    }

    /// The `CLONE_NEW*` flags of all its namespaces, for setns(2).
    pub fn namespace_flags(&self) -> i32 {
        self.namespaces.iter().fold(0, |flags, namespace| flags | namespace.clone_flag())
    }

    /// The flags for clone3(2): those of the namespaces that only a new process can be in from its beginning, and of the one
    /// that owns the others.
    pub fn clone_flags(&self) -> i32 {
        self.namespace_flags() & (libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWTIME)
    }

    /// The flags of the namespaces that the first process makes itself, with unshare(2). The cgroup namespace is not among
    /// them: its root is the cgroup of whoever makes it (`cgroup_namespaces(7)`), so that it is made when that is entered.
    pub fn unshare_flags(&self) -> i32 {
        self.namespace_flags() & !self.clone_flags() & !libc::CLONE_NEWCGROUP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_the_host_or_depends_on_it_cannot_wait() {
        let check = |change: fn(&mut Blueprint), expected: bool| {
            let mut blueprint = Blueprint { namespaces: Namespace::ALL.to_vec(), ..Blueprint::bare() };
            change(&mut blueprint);
            assert_eq!(blueprint.can_wait(), expected, "{blueprint:?}");
        };
        check(|_| {}, true);
        check(|blueprint| blueprint.root.read_only = true, true);
        check(|blueprint| blueprint.namespaces.retain(|kind| *kind != Namespace::Pid), false);
        check(|blueprint| blueprint.namespaces.retain(|kind| *kind != Namespace::Mount), false);
        check(|blueprint| blueprint.root.devices.push("/dev/fuse".to_owned()), false);
        check(|blueprint| drop(blueprint.sysctls.insert("net.a".to_owned(), "1".to_owned())), false);
        check(|blueprint| blueprint.root.planted.push(Plant::default()), false);
        check(|blueprint| blueprint.cgroup.pids = Some(1), false);
        check(|blueprint| blueprint.defects.push(Defect::Chroot), false);
    }
}
