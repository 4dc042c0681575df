//! Needs, measured on this machine.

use std::sync::LazyLock;

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use crate::fact::{Subject, Value, find};
use crate::sandbox::{Runtime, native, program};
use crate::spec::{NEEDS, Need, NeedKind, Settings};

/// Why a test is not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The need that is not met: `kernel >= 6.20`, `runtime native`, `image debian-12`.
    pub need: String,
    /// What was measured instead.
    pub reason: String,
}

impl Skip {
    /// Whether `--require NAME` makes this a failure: the need itself, its first word, or `all`. `-NAME` takes a need out
    /// again, wherever it stands: no run can meet both `root` and `unprivileged`, so that root requires `all,-unprivileged`.
    pub fn is_required(&self, required: &[String]) -> bool {
        // A known defect is no need, and nothing that a machine could meet.
        if self.need == KNOWN_ISSUE {
            return false;
        }
        let excepted = required.iter().filter_map(|name| name.strip_prefix('-'));
        let named = |name: &str| name == "all" || self.is_named(name);
        required.iter().any(|name| named(name)) && !excepted.into_iter().any(|name| self.is_named(name))
    }

    fn is_named(&self, name: &str) -> bool {
        name == self.need || self.need.split_ascii_whitespace().next() == Some(name)
    }
}

/// What stands in a skip's need where a defect is known.
pub const KNOWN_ISSUE: &str = "known issue";

/// What stands in a skip's need where only a process inside could measure.
pub(super) const INSIDE: &str = "inside";

/// The first words of what can be required: what specs need, what stands in a skip's need besides, and everything.
fn words() -> impl Iterator<Item = &'static str> {
    ["all"].into_iter().chain(NEEDS).chain(["risk", INSIDE])
}

/// Says what is wrong with a list of requirements: a misspelt one would require nothing.
pub fn check_required(required: &[String]) -> Result<(), String> {
    let first = |name: &String| {
        name.trim_start_matches('-').split_ascii_whitespace().next().unwrap_or_default().to_owned()
    };
    match required.iter().find(|name| !words().any(|word| word == first(name))) {
        Some(name) => Err(format!(
            "nothing is required by `{name}`: a need begins with {}",
            words().collect::<Vec<_>>().join(", ")
        )),
        None => Ok(()),
    }
}

/// Why a need is not met here; `None` if it is.
pub fn unmet(need: &Need, runtime: &dyn Runtime) -> Option<Skip> {
    let reason = match &need.kind {
        NeedKind::Kernel(version) => older_kernel(version),
        NeedKind::Cgroup(version) => no_cgroup(*version),
        NeedKind::Root => (!is_root()).then(|| format!("the runner is uid {}", Uid::effective())),
        NeedKind::Unprivileged => is_root().then(|| "the runner is root".to_owned()),
        NeedKind::Namespace(name) => no_namespace(name),
        NeedKind::Program(name) => {
            program::find(name).is_none().then(|| format!("no program `{name}` on the host's PATH"))
        }
        NeedKind::RuntimeCan(setting) => cannot(runtime, setting),
        NeedKind::Config(option) => not_configured(option),
        NeedKind::Landlock(version) => older_landlock(*version),
        NeedKind::Vm => (!crate::vm::is_guest())
            .then(|| "it would harm the host: it is for a kernel that was booted for it".to_owned()),
        // Whether an image can be had shows when it is first used.
        NeedKind::Image(_) => None,
    };
    reason.map(|reason| Skip { need: need.text.clone(), reason })
}

fn is_root() -> bool {
    Uid::effective().is_root()
}

fn older_kernel(least: &[u32]) -> Option<String> {
    let release =
        host_fact("uname", "").and_then(|value| Some(value.get("release")?.as_str()?.to_owned()))?;
    (numbers(&release).as_slice() < least).then(|| format!("the kernel is {release}"))
}

/// The leading numbers of a release: 6.18.44 of `6.18.44-generic`.
fn numbers(release: &str) -> Vec<u32> {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    release[..end].split('.').filter_map(|part| part.parse().ok()).collect()
}

fn no_cgroup(version: u8) -> Option<String> {
    let hierarchies = procfs::process::Process::myself().and_then(|process| process.cgroups()).ok()?;
    let controls = |unified: bool| {
        hierarchies.0.iter().any(|group| {
            (group.hierarchy == 0) == unified && group.controllers.iter().any(|name| name == "memory")
        })
    };
    let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    match version {
        1 if controls(false) => None,
        2 if unified => None,
        1 => Some("no version 1 hierarchy controls memory".to_owned()),
        _ => Some("the unified hierarchy is not mounted at /sys/fs/cgroup".to_owned()),
    }
}

fn no_namespace(name: &str) -> Option<String> {
    let kind = crate::spec::Namespace::ALL.into_iter().find(|kind| kind.name() == name)?;
    (!native::kernel_has(kind)).then(|| format!("this kernel has no {name} namespaces"))
}

/// Asks the runtime with nothing but that setting, in a form that every runtime that knows it accepts.
fn cannot(runtime: &dyn Runtime, setting: &str) -> Option<String> {
    runtime.check(&sample(setting)).err().map(|cannot| cannot.reason)
}

fn sample(setting: &str) -> Settings {
    let text = match setting {
        "limits" => "limits: { pids: 1000 }",
        "user" => "user: { uid: 1000 }",
        "capabilities" => "capabilities: { keep: [] }",
        "env" | "sysctls" => return sample_map(setting),
        "seccomp" => "seccomp: default",
        "root" => "root: read_only",
        "network" => "network: none",
        "launcher" => "launcher: poisoned",
        "hostname" | "cwd" => return sample_word(setting),
        "no_new_privs" => "no_new_privs: true",
        _ => return sample_list(setting),
    };
    serde_yaml::from_str(text).unwrap_or_default()
}

fn sample_map(setting: &str) -> Settings {
    serde_yaml::from_str(&format!("{setting}: {{}}")).unwrap_or_default()
}

fn sample_word(setting: &str) -> Settings {
    serde_yaml::from_str(&format!("{setting}: /")).unwrap_or_default()
}

fn sample_list(setting: &str) -> Settings {
    serde_yaml::from_str(&format!("{setting}: []")).unwrap_or_default()
}

fn not_configured(option: &str) -> Option<String> {
    static READABLE: LazyLock<bool> =
        LazyLock::new(|| host_fact("kernel_config", "CONFIG_MODULES").is_some());
    match host_fact("kernel_config", option) {
        Some(value) if value == "y" || value == "m" => None,
        Some(value) => Some(format!("{option} is {value}")),
        None if *READABLE => Some(format!("the kernel's configuration does not name {option}")),
        None => Some("the kernel's configuration cannot be read".to_owned()),
    }
}

fn older_landlock(least: u32) -> Option<String> {
    match crate::sys::landlock::abi() {
        Ok(version) if version.unsigned_abs() >= least => None,
        Ok(version) => Some(format!("the kernel's Landlock has version {version} of the ABI")),
        Err(errno) => Some(format!("the kernel runs without Landlock: {errno:?}")),
    }
}

/// A fact of the host itself.
fn host_fact(name: &str, argument: &str) -> Option<Value> {
    (find(name)?.observe)(&Subject::oneself(), argument).ok().map(|reading| reading.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_number_by_number() {
        let check = |release, expected: &[u32]| assert_eq!(numbers(release), expected, "{release}");
        check("6.18.44-fc-v657", &[6, 18, 44]);
        check("5.10.0", &[5, 10, 0]);
        check("6.1", &[6, 1]);
    }

    #[test]
    fn what_would_harm_the_host_is_skipped_there() {
        assert!(!crate::vm::is_guest());
        let need = Need { text: "vm".to_owned(), kind: NeedKind::Vm };
        let skip = unmet(&need, crate::sandbox::by_name("native").unwrap()).unwrap();
        assert!(skip.reason.contains("harm the host"), "{skip:?}");
        assert!(!skip.is_required(&["all".to_owned(), "-vm".to_owned()]));
    }

    #[test]
    fn the_version_of_landlock_is_what_the_kernel_says() {
        let here = crate::sys::landlock::abi().map_or(0, i32::unsigned_abs);
        assert_eq!(older_landlock(here.max(1)).is_none(), here > 0);
        assert!(older_landlock(here + 1).is_some());
    }

    #[test]
    fn a_need_is_required_by_its_text_its_first_word_or_all() {
        let skip = Skip { need: "program ip".to_owned(), reason: String::new() };
        let check = |names: &str, expected| {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            assert_eq!(skip.is_required(&names), expected, "{names:?}");
        };
        check("program ip", true);
        check("program", true);
        check("all", true);
        check("root", false);
        check("root,program", true);
        check("all,-root", true);
        check("all,-program", false);
        check("-program,all", false);
        check("all,-program ip", false);
        check("all,-program ps", true);
        check("-root", false);
        check("-all", false);
    }

    #[test]
    fn a_known_issue_cannot_be_required() {
        let skip = Skip { need: KNOWN_ISSUE.to_owned(), reason: String::new() };
        assert!(!skip.is_required(&["all".to_owned()]));
    }

    #[test]
    fn a_misspelt_requirement_is_found() {
        let check =
            |name: &str, fits: bool| assert_eq!(check_required(&[name.to_owned()]).is_ok(), fits, "{name}");
        check("all", true);
        check("-cgroup v2", true);
        check("runtime native", true);
        check("progam", false);
        check("", false);
    }
}
