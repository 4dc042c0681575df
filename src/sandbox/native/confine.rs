//! Confinement: rlimits, capabilities, `no_new_privs`, seccomp. Each takes away what the next steps no longer need, so the
//! order matters.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

use super::blueprint::Blueprint;
use super::identity::become_user;
use crate::sys::{Failure, Result};

/// The highest capability that this program knows: `CAP_CHECKPOINT_RESTORE` (include/uapi/linux/capability.h).
pub(in crate::sandbox) const LAST_CAPABILITY: u8 = 40;

/// Limits, the user, the capabilities, and `no_new_privs`. What remains is the seccomp filter.
pub(super) fn confine(blueprint: &Blueprint) -> Result<()> {
    set_rlimits(blueprint)?;
    let kept = kept_capabilities(blueprint);
    limit_bounding_set(kept)?;
    // The permitted set is cleared when the last uid stops being 0, unless this says otherwise (capabilities(7)).
    prctl::set_keepcaps(true).map_err(|errno| Failure::new("prctl", &[&"PR_SET_KEEPCAPS"], errno))?;
    become_user(blueprint)?;
    set_capabilities(kept)?;
    if blueprint.confinement.no_new_privs {
        prctl::set_no_new_privs().map_err(|errno| Failure::new("prctl", &[&"PR_SET_NO_NEW_PRIVS"], errno))?;
    }
    Ok(())
}

/// Installs the filters. Without `no_new_privs` the kernel asks for `CAP_SYS_ADMIN` (seccomp(2)).
pub(super) fn install_filters(filters: &[BpfProgram]) -> Result<()> {
    filters.iter().try_for_each(|filter| {
        seccompiler::apply_filter(filter).map_err(|error| {
            let errno = std::io::Error::last_os_error();
            Failure { operands: vec![error.to_string()], ..Failure::from_io("seccomp", &[], &errno) }
        })
    })
}

fn set_rlimits(blueprint: &Blueprint) -> Result<()> {
    for (number, value) in &blueprint.rlimits {
        let resource = RESOURCES.iter().find(|resource| **resource as u32 == *number);
        let Some(resource) = resource else { continue };
        setrlimit(*resource, *value, *value)
            .map_err(|errno| Failure::new("setrlimit", &[resource, value], errno))?;
    }
    Ok(())
}

/// The resources that settings can limit.
pub(super) const RESOURCES: [Resource; 7] = [
    Resource::RLIMIT_NOFILE,
    Resource::RLIMIT_NPROC,
    Resource::RLIMIT_CORE,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_STACK,
    Resource::RLIMIT_MEMLOCK,
    Resource::RLIMIT_AS,
];

fn kept_capabilities(blueprint: &Blueprint) -> CapabilitySet {
    let bits = blueprint.confinement.capabilities.iter().fold(0_u64, |bits, number| bits | 1 << number);
    CapabilitySet::from_bits_retain(bits)
}

/// Drops from the bounding set all that is not kept: an execve(2) of a setuid or file-capability program cannot gain it.
fn limit_bounding_set(kept: CapabilitySet) -> Result<()> {
    for number in 0..=63 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel's last capability has been passed.
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => return Err(failure("PR_CAPBSET_DROP", errno)),
        }
    }
    Ok(())
}

fn set_capabilities(kept: CapabilitySet) -> Result<()> {
    let now = rustix::thread::capabilities(None).map_err(|errno| failure("capget", errno))?;
    // What the runner never had cannot be kept: a launcher in a container may itself be confined.
    let kept = kept & now.permitted;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(|errno| failure("capset", errno))
}

fn failure(call: &str, errno: rustix::io::Errno) -> Failure {
    Failure::new(call, &[], nix::errno::Errno::from_raw(errno.raw_os_error()))
}
