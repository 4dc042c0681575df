//! Seccomp filters: the documented default profile, and profiles in the form of the OCI runtime specification.

use std::collections::BTreeMap;
use std::str::FromStr;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use serde::Deserialize;
use syscalls::Sysno;

use super::blueprint::Seccomp;

/// What the default profile refuses with EPERM: calls that reach the host's kernel rather than the sandbox's own things.
/// Everything else is allowed, but for two rules about the namespaces of `clone` and `clone3`.
pub const REFUSED_BY_DEFAULT: &[&str] = &[
    // Mounts, roots, and namespaces.
    "mount",
    "umount2",
    "pivot_root",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "chroot",
    // The kernel itself: modules, kexec, power, clocks, accounting, swap, quotas, its log.
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "acct",
    "swapon",
    "swapoff",
    "quotactl",
    "quotactl_fd",
    "syslog",
    // Programs in the kernel, its performance counters, its page faults, its rings.
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    // Keys are not namespaced.
    "add_key",
    "request_key",
    "keyctl",
    // Files by handle lead out of a bind mount (the "shocker" exploit of 2014).
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "lookup_dcookie",
    // Other processes' memory, descriptors and placement.
    "kcmp",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "move_pages",
    "migrate_pages",
    // Hardware and relics.
    "iopl",
    "ioperm",
    "modify_ldt",
    "vhangup",
    "uselib",
    "ustat",
    "sysfs",
    "nfsservctl",
    "vm86",
    "vm86old",
];

/// The namespace flags that clone(2) is refused with in the default profile; clone3(2), whose flags a filter cannot see,
/// answers ENOSYS, on which every libc falls back to clone(2).
const CLONE_NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWCGROUP,
];

/// `__X32_SYSCALL_BIT` (arch/x86/include/uapi/asm/unistd.h).
const X32: i64 = 0x4000_0000;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not JSON of the expected form.
    #[error("the seccomp profile is not in the OCI form: {0}")]
    Form(#[from] serde_json::Error),
    /// It uses something that is not supported.
    #[error("the seccomp profile uses {0}, which airtight cannot install")]
    Unsupported(String),
    /// The compiler refused it.
    #[error("the seccomp profile does not compile: {0}")]
    Compile(#[from] seccompiler::BackendError),
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filters to install, in order.
pub fn compile(profile: &Seccomp) -> Result<Vec<BpfProgram>, ProfileError> {
    match profile {
        Seccomp::None => Ok(Vec::new()),
        Seccomp::Default => default_profile(),
        Seccomp::Profile(text) => from_oci(text),
    }
}

fn default_profile() -> Result<Vec<BpfProgram>, ProfileError> {
    let mut refused: Rules =
        REFUSED_BY_DEFAULT.iter().filter_map(|name| number(name)).map(|n| (n, Vec::new())).collect();
    let masks = CLONE_NAMESPACES.map(|flag| u64::from(flag.unsigned_abs()));
    let clone: Vec<SeccompRule> = masks.iter().map(|mask| flag_set(*mask)).collect::<Result<_, _>>()?;
    refused.insert(i64::from(Sysno::clone.id()), clone);
    if cfg!(target_arch = "x86_64") {
        // The x32 calls have the same architecture and the same numbers with one more bit: without this they go round the filter.
        let x32: Rules = refused.iter().map(|(number, rules)| (number | X32, rules.clone())).collect();
        refused.extend(x32);
    }
    let unseen: Rules = [(i64::from(Sysno::clone3.id()), Vec::new())].into();
    Ok(vec![refuse(refused, libc::EPERM)?, refuse(unseen, libc::ENOSYS)?])
}

fn flag_set(mask: u64) -> Result<SeccompRule, ProfileError> {
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), mask)?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn refuse(rules: Rules, errno: i32) -> Result<BpfProgram, ProfileError> {
    build(rules, SeccompAction::Allow, SeccompAction::Errno(errno.unsigned_abs()))
}

fn build(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, ProfileError> {
    let filter = SeccompFilter::new(rules, otherwise, matched, architecture())?;
    Ok(BpfProgram::try_from(filter)?)
}

/// The architecture that this program, and so the kernel's native calls, are of.
const fn architecture() -> TargetArch {
    if cfg!(target_arch = "aarch64") {
        TargetArch::aarch64
    } else if cfg!(target_arch = "riscv64") {
        TargetArch::riscv64
    } else {
        TargetArch::x86_64
    }
}

fn number(name: &str) -> Option<i64> {
    Sysno::from_str(name).ok().map(|sysno| i64::from(sysno.id()))
}

/// `linux.seccomp` of the OCI runtime specification (config-linux.md), as far as a profile without arguments needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    syscalls: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    names: Vec<String>,
    action: String,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Vec<serde_json::Value>,
}

fn from_oci(text: &str) -> Result<Vec<BpfProgram>, ProfileError> {
    let profile: Profile = serde_json::from_str(text)?;
    let otherwise = action(&profile.default_action, profile.default_errno_ret)?;
    let mut by_action: Vec<(SeccompAction, Rules)> = Vec::new();
    for entry in &profile.syscalls {
        let matched = action(&entry.action, entry.errno_ret)?;
        if !entry.args.is_empty() {
            return Err(ProfileError::Unsupported(format!(
                "conditions on the arguments of {}",
                entry.names.join(", ")
            )));
        }
        let numbers = entry.names.iter().filter_map(|name| number(name)).map(|n| (n, Vec::new()));
        match by_action.iter_mut().find(|(known, _)| *known == matched) {
            Some((_, rules)) => rules.extend(numbers),
            None => by_action.push((matched, numbers.collect())),
        }
    }
    layer(&otherwise, by_action)
}

/// Filters stack, and the strictest answer wins (seccomp(2)): an allow list must be the only filter with its default.
fn layer(
    otherwise: &SeccompAction,
    by_action: Vec<(SeccompAction, Rules)>,
) -> Result<Vec<BpfProgram>, ProfileError> {
    let allowing = *otherwise == SeccompAction::Allow;
    let mut filters = Vec::new();
    for (matched, rules) in by_action.into_iter().filter(|(matched, _)| matched != otherwise) {
        if !allowing && matched != SeccompAction::Allow {
            return Err(ProfileError::Unsupported("two kinds of refusal beside an allow list".to_owned()));
        }
        filters.push(build(rules, otherwise.clone(), matched)?);
    }
    Ok(filters)
}

fn action(name: &str, errno: Option<u32>) -> Result<SeccompAction, ProfileError> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => SeccompAction::Allow,
        "SCMP_ACT_ERRNO" => SeccompAction::Errno(errno.unwrap_or(libc::EPERM.unsigned_abs())),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" => SeccompAction::KillProcess,
        "SCMP_ACT_KILL_THREAD" => SeccompAction::KillThread,
        "SCMP_ACT_LOG" => SeccompAction::Log,
        "SCMP_ACT_TRAP" => SeccompAction::Trap,
        other => return Err(ProfileError::Unsupported(format!("the action {other}"))),
    })
}
