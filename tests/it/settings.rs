//! Each setting of a sandbox on each runtime that is here: the claims of specs/settings, and those of tests/settings, which are in the words
//! of single runtimes, hold or are skipped because the runtime cannot set it, and fail where the setting under test is left out. That is
//! the last one of a claim's `with`; those before it make room for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use airtight::sys::may_give;
use nix::unistd::Uid;
use serde_json::Value as Json;
use serde_yaml::{Mapping, Value};

use crate::runs::{Told, run};
use crate::watch::alone_with_podman;

/// What a claim says is so by default on many a runtime, which leaving out the setting does not change. It must fail on what is otherwise, if
/// the runtime can be told one of these.
const OTHERWISE: &[&str] = &[
    "{ new: [mount, pid, uts, ipc] }",
    "{ new: [mount, pid, uts, ipc, net] }",
    "{ new: [mount, pid, uts, ipc, net, cgroup] }",
    "{ new: [mount, pid, user] }",
    "{ new: [mount, pid, uts, user] }",
    "{ no_new_privs: true }",
    "{ no_new_privs: false }",
    // A filter without it is only for who has rights over the namespace.
    "{ no_new_privs: false, seccomp: none }",
    "{ seccomp: none }",
    "{ seccomp: default }",
    "{ root: writable }",
    "{ root: read_only }",
    "{ network: none }",
    "{ network: host }",
    "{ capabilities: { drop: [] } }",
    "{ capabilities: { keep: [kill] } }",
    "{ cwd: / }",
];

/// By itself it leaves no /proc in the root, without which nothing of a namespace is seen: what could not be observed is as red as it can be.
const WITHOUT_PROC: &str = "unshare";

/// What an ordinary user has everywhere: what comes with every Debian, and needs no right.
const UNPRIVILEGED: [&str; 2] = ["native", "unshare"];

/// What a machine without a right lets no runtime do: the runtime, the claim's beginning, the right.
const LACKING: &[(&str, &str, &str)] = &[("podman", "is kept for", "sys_resource")];

#[test]
fn each_setting_means_the_same_on_each_runtime_that_has_it() {
    let runtimes = usable_runtimes();
    let least = if Uid::effective().is_root() { &["native"][..] } else { &UNPRIVILEGED };
    let missing: Vec<_> = least.iter().filter(|name| !runtimes.iter().any(|there| there == *name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not among {runtimes:?}");
    let complaints: Vec<String> = runtimes.iter().flat_map(|name| check(name)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What is wrong with it.
fn check(runtime: &str) -> Vec<String> {
    let _alone = (runtime == "podman").then(alone_with_podman);
    let whole = variant("whole", |_| true);
    let whole = judged(whole.path(), runtime);
    let left_out = variant("left-out", without);
    let left_out = judged(left_out.path(), runtime);
    let mut complaints: Vec<String> =
        whole.values().filter(|told| !holds(told) && !lacks_a_right(told)).map(describe).collect();
    let passed = whole.iter().filter(|(_, told)| told.outcome == "passed");
    let (open, strange): (Vec<_>, Vec<_>) = passed
        .filter_map(|(name, _)| Some((name, left_out.get(name)?)))
        .filter(|(_, told)| told.outcome != "failed")
        .partition(|(_, told)| told.outcome == "passed");
    let strange = strange.iter().filter(|_| runtime != WITHOUT_PROC);
    complaints.extend(strange.map(|(_, told)| format!("left out: {}", describe(told))));
    let open = open.into_iter().map(|(name, _)| name).collect();
    complaints
        .extend(still_open(runtime, open).iter().map(|name| format!("{runtime}: nothing turns red: {name}")));
    complaints
}

/// Those that hold whatever the setting is, though the runtime can be told otherwise.
fn still_open<'a>(runtime: &str, mut open: Vec<&'a String>) -> Vec<&'a String> {
    let mut can_be_otherwise: Vec<&String> = Vec::new();
    for settings in OTHERWISE {
        if open.is_empty() {
            break;
        }
        let folder = variant("otherwise", |claim| otherwise(claim, settings));
        let told = judged(folder.path(), runtime);
        let is_about = |name: &&String| told.get(*name).is_some_and(|told| told.outcome != "skipped");
        can_be_otherwise.extend(open.iter().filter(|name| is_about(name)));
        open.retain(|name| told.get(*name).is_none_or(|told| told.outcome != "failed"));
    }
    open.retain(|name| can_be_otherwise.contains(name));
    open
}

fn holds(told: &Told) -> bool {
    let user = ["only root can ", "\"need\":\"root\""];
    let reasons = if Uid::effective().is_root() { &["\"need\":\"unprivileged\""][..] } else { &user };
    let reasons = [" cannot ", "has no hardened profile"].iter().chain(reasons);
    let cannot = told.outcome == "skipped" && reasons.into_iter().any(|reason| told.text.contains(reason));
    told.outcome == "passed" || told.outcome == "not_measured" || cannot || told.text.contains("known issue")
}

fn lacks_a_right(told: &Told) -> bool {
    let held = |right: &str| may_give(right);
    LACKING.iter().any(|(runtime, claim, right)| {
        told.runtime == *runtime && told.claim.starts_with(claim) && !held(right)
    })
}

fn describe(told: &Told) -> String {
    format!("{}: {}: {}: {}", told.runtime, told.outcome, told.claim, told.text)
}

/// What became of each claim, by its name without the folder.
fn judged(folder: &Path, runtime: &str) -> BTreeMap<String, Told> {
    let told = run(&["--runtime", runtime, &folder.to_string_lossy()]);
    let name = |told: &Told| {
        let line: Json = serde_json::from_str(&told.text).unwrap();
        let name = line["name"].as_str().unwrap().to_owned();
        name.rsplit('/').next().unwrap().to_owned()
    };
    told.into_iter().map(|told| (name(&told), told)).collect()
}

/// The specs with every claim changed; those for which there is nothing to change are left out.
fn variant(name: &str, change: impl Fn(&mut Mapping) -> bool) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix(name).tempdir().unwrap();
    for entry in
        ["specs/settings", "tests/settings"].into_iter().flat_map(|place| fs::read_dir(place).unwrap())
    {
        let path = entry.unwrap().path();
        let target = folder.path().join(path.file_name().unwrap());
        if path.extension().is_some_and(|extension| extension == "yaml") {
            rewrite(&path, &target, &change);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
    folder
}

fn rewrite(path: &Path, target: &Path, change: &impl Fn(&mut Mapping) -> bool) {
    let mut spec: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let claims = spec["claims"].as_mapping_mut().unwrap();
    claims.retain(|_, claim| change(claim.as_mapping_mut().unwrap()));
    if !claims.is_empty() {
        // As JSON, which is YAML in which every text is quoted.
        fs::write(target, serde_json::to_string_pretty(&spec).unwrap()).unwrap();
    }
}

/// The last setting is left out.
fn without(claim: &mut Mapping) -> bool {
    let Some(with) = claim.get_mut("with").and_then(Value::as_mapping_mut) else { return false };
    let last = with.keys().last().cloned().unwrap();
    with.shift_remove(&last);
    if with.is_empty() {
        claim.remove("with");
    }
    true
}

/// The last setting, if it is among these, is what they say, with the others of them.
fn otherwise(claim: &mut Mapping, settings: &str) -> bool {
    let settings: Mapping = serde_yaml::from_str(settings).unwrap();
    let Some(with) = claim.get_mut("with").and_then(Value::as_mapping_mut) else { return false };
    let last = with.keys().last().cloned().unwrap();
    let is_other = settings.get(&last).is_some_and(|value| with[&last] != *value);
    if is_other {
        with.extend(settings);
    }
    is_other
}

/// Those that make a sandbox here, but for `none`, which is none.
fn usable_runtimes() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_airtight")).args(["runtime", "ls"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let usable = text.lines().filter(|line| line.contains(" usable, a sandbox "));
    let names = usable.filter_map(|line| line.split_ascii_whitespace().next());
    names.filter(|name| *name != "none").map(str::to_owned).collect()
}
