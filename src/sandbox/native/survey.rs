//! What this machine lets the built-in runtime do: measured once, by doing it.

use std::sync::{LazyLock, Mutex};

use super::blueprint::CgroupLimits;
use super::{cgroup, resolve};
use crate::sandbox::Cannot;
use crate::spec::{Namespace, Settings};
use crate::sys::Failure;

/// Says which of the things that these settings need the machine refuses.
pub(super) fn check(settings: &Settings) -> Result<(), Cannot> {
    for namespace in resolve::namespaces(settings) {
        if !kernel_has(namespace) {
            return Err(Cannot::because(format!("this kernel has no {} namespaces", namespace.name())));
        }
    }
    let limits = settings.limits.clone().unwrap_or_default();
    can_limit(
        "memory",
        limits.memory.is_some(),
        &CgroupLimits { memory: Some(1 << 30), ..CgroupLimits::default() },
    )?;
    can_limit("pids", limits.pids.is_some(), &CgroupLimits { pids: Some(1000), ..CgroupLimits::default() })?;
    can_limit("cpu", limits.cpu.is_some(), &CgroupLimits { cpu: Some(100), ..CgroupLimits::default() })
}

/// The kernel shows the kinds of namespace that it has (namespaces(7)); it has them for good.
pub fn kernel_has(namespace: Namespace) -> bool {
    static KINDS: LazyLock<Vec<Namespace>> = LazyLock::new(|| {
        let link = |kind: Namespace| if kind == Namespace::Mount { "mnt" } else { kind.name() };
        let shown =
            |kind: &Namespace| std::fs::symlink_metadata(format!("/proc/self/ns/{}", link(*kind))).is_ok();
        Namespace::ALL.into_iter().filter(shown).collect()
    });
    KINDS.contains(&namespace)
}

/// What tells of this moment and not of the machine: the sandbox is tried all the same, and breaks if it still cannot be made.
const PASSING: [i32; 6] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN, libc::EINTR, libc::EIO];

type Measured = Vec<(&'static str, Result<(), Failure>)>;

/// Whether a limit can be set: tried once.
fn can_limit(name: &'static str, asked: bool, limits: &CgroupLimits) -> Result<(), Cannot> {
    static MEASURED: LazyLock<Mutex<Measured>> = LazyLock::new(Mutex::default);
    if !asked {
        return Ok(());
    }
    let mut measured = MEASURED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !measured.iter().any(|(known, _)| *known == name) {
        measured.push((name, cgroup::can_limit(limits)));
    }
    let found = measured.iter().find(|(known, _)| *known == name).map(|(_, result)| result.clone());
    found
        .unwrap_or(Ok(()))
        .or_else(|failure| if PASSING.contains(&failure.errno) { Ok(()) } else { Err(failure) })
        .map_err(|failure| Cannot::because(format!("the limit `{name}` cannot be set here: {failure}")))
}
