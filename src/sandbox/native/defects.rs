//! What can be wrong with a sandbox that is broken on purpose, beyond what its settings can say. The proof that claims can fail
//! makes such sandboxes, and nothing else does.

use serde::{Deserialize, Serialize};

use super::blueprint::Blueprint;
use super::poison::Poison;

/// One thing that is wrong with a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Defect {
    /// Its root is entered by chroot(2) and not by `pivot_root(2)`: the host's mounts stay in its mount namespace.
    Chroot,
    /// Its mounts stay in the host's peer groups (`mount_namespaces(7)`): what either mounts below a shared mount, both see.
    SharedPropagation,
    /// The host's own file system lies at this path: `/proc`, `/sys` or `/dev`.
    HostMount(String),
    /// The mount at this path is made without its flags.
    BareMount(String),
    /// A system call that its seccomp filter would refuse, by name, is let through.
    AllowedCall(String),
    /// Its host name is the host's, in whatever UTS namespace.
    HostName,
    /// Its launcher hands this down to it.
    Leak(Poison),
    /// Its first process does not wait for the orphans that it inherits: they stay zombies.
    DoesNotReap,
    /// What it mounts is made ready by the host's paths, and not in its root: links of the image lead out of that.
    Careless,
    /// Nobody waits for its first process: once dead it stays a zombie, until the sandbox is given up.
    NotWaitedFor,
}

impl Blueprint {
    /// Whether this is wrong with it.
    pub fn has(&self, defect: &Defect) -> bool {
        self.defects.contains(defect)
    }

    /// Whether this is leaked to it.
    pub(in crate::sandbox) fn leaks(&self, poison: Poison) -> bool {
        self.has(&Defect::Leak(poison))
    }

    /// Whether its processes have another root than its mount namespace.
    pub(in crate::sandbox) fn has_changed_root(&self) -> bool {
        self.chrooted || self.has(&Defect::Chroot)
    }

    /// The calls that its filter lets through although it should not.
    pub(in crate::sandbox) fn calls_let_through(&self) -> Vec<&str> {
        self.defects
            .iter()
            .filter_map(|defect| match defect {
                Defect::AllowedCall(name) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The paths at which the host's own file system lies.
    pub(super) fn host_mounts(&self) -> Vec<&str> {
        self.defects
            .iter()
            .filter_map(|defect| match defect {
                Defect::HostMount(path) => Some(path.as_str()),
                _ => None,
            })
            .collect()
    }
}
