//! What can be wrong with a sandbox that is broken on purpose, beyond what its settings can say. The proof that claims can fail
//! makes such sandboxes, and nothing else does.

use serde::{Deserialize, Serialize};

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
    /// Nobody waits for its first process: once dead it stays a zombie, until the sandbox is given up.
    NotWaitedFor,
}
