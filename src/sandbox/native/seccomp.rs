//! Seccomp filters: the documented default profile, and profiles in the form of the OCI runtime specification.

use std::collections::BTreeMap;
use std::str::FromStr;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch};
use serde::Deserialize;
use syscalls::Sysno;

use super::blueprint::{Blueprint, Seccomp};
use super::default_filter;

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
        Seccomp::Default => Ok(vec![default_filter::program()]),
        Seccomp::Profile(text) => from_oci(text),
    }
}

/// The calls that its filter refuses, by name.
pub(super) fn refused_calls(blueprint: &Blueprint) -> Vec<String> {
    match blueprint.confinement.seccomp {
        Seccomp::Default => {
            default_filter::REFUSED_BY_DEFAULT.iter().map(|name| (*name).to_owned()).collect()
        }
        _ => Vec::new(),
    }
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

pub(super) fn number(name: &str) -> Option<i64> {
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
