//! `airtight prove`: what it finds of claims that are sound, vacuous, or wrong about holding anywhere.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

/// A sandbox with little to break, so that there is little to try.
const SMALL: &str = "scenario: Small\nsandbox: { image: base, new: [user, mount, pid], seccomp: none, mask: [], read_only: [] }\nclaims:\n";

/// Whoever expects the opposite of any single thing that a bundled claim expects must see it red.
#[test]
fn every_expectation_of_the_bundled_claims_can_fail() {
    let told = prove_bundled("negations");
    assert!(told["score"]["negated"].as_u64() >= Some(1000), "{}", told["score"]);
    assert_eq!(told["idle"], Value::Array(Vec::new()));
}

/// Where there is no sandbox no bundled claim passes, but for those that say that they hold anywhere; and whatever pretends to be one deceives none.
#[test]
fn no_bundled_claim_passes_without_a_sandbox() {
    let told = prove_bundled("nulls");
    assert_eq!(told["score"]["vacuous"], 0);
    for name in NULLS {
        let judged = |claim: &&Value| claim["under"][name].is_string();
        let passes = |claim: &&Value| {
            claim["under"][name] == "passed" && (claim["verdict"] != "anywhere" || *name != NULLS[0])
        };
        let claims = told["claims"].as_array().unwrap();
        assert!(claims.iter().filter(judged).count() >= 100, "{name} is not there: {}", told["score"]);
        let passing: Vec<&Value> = claims.iter().filter(passes).map(|claim| &claim["name"]).collect();
        assert!(passing.is_empty(), "these pass on {name}: {passing:#?}");
    }
}

/// The first is nothing at all, and so what holds anywhere; in the others nothing can hold.
const NULLS: &[&str] = &[
    "no sandbox at all",
    "what exits with 0 and does nothing",
    "what exits with 1",
    "a liar in the agent's place",
];

fn prove_bundled(extent: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
    let output = command.args(["prove", "--extent", extent, "--format", "json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let unsound = |claim: &&Value| claim["sound"] == "failed" || claim["sound"] == "broken";
    let unsound: Vec<&Value> = told["claims"].as_array().unwrap().iter().filter(unsound).collect();
    assert_eq!(output.status.code(), Some(0), "{said}\n{}\n{unsound:#?}\n{}", told["score"], told["idle"]);
    told
}

fn prove(claims: &str, arguments: &[&str]) -> Output {
    prove_spec(&format!("{SMALL}{claims}"), arguments)
}

fn prove_spec(text: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("spec.yaml");
    fs::write(&spec, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_airtight")).arg("prove").arg(&spec).args(arguments).output().unwrap()
}

/// (claims, arguments, exit code, what is said)
type Case = (&'static str, &'static [&'static str], i32, &'static str);

const SOUND: &str = "  is first: { inside: { pid: 1 } }\n";
const VACUOUS: &str = "  is Linux: { why: All is., inside: { uname: { sysname: Linux } } }\n";
const ANYWHERE: &str =
    "  is Linux: { why: All is., holds_anywhere: true, inside: { uname: { sysname: Linux } } }\n";
const NOT_ANYWHERE: &str = "  is first: { why: Not so., holds_anywhere: true, inside: { pid: 1 } }\n";
const ACTS_ANYWHERE: &str =
    "  answers: { why: Any shell does., holds_anywhere: true, run: echo hello, stdout: hello }\n";
const ACTS_NOT_ANYWHERE: &str =
    "  is first: { why: Not so., holds_anywhere: true, run: echo $$, stdout: \"1\" }\n";
const WRONG: &str = "  is second: { inside: { pid: 2 } }\n";
const SKIPPED: &str = "  is new: { needs: [kernel >= 99.0], inside: { pid: 1 } }\n";
const ONLY_BROKEN: &str =
    "  is Linux: { given: { inside: { pid: 1 } }, inside: { uname: { sysname: Linux } } }\n";

const CASES: &[Case] = &[
    (SOUND, &["--extent", "negations"], 0, "0 of 1 expectations idle\n"),
    (SOUND, &["--extent", "nulls"], 0, "no sandbox at all: 0 of 1 claims pass, 1 fail"),
    (VACUOUS, &["--extent", "nulls"], 1, "it passes without any sandbox; narrow it or"),
    (ANYWHERE, &["--extent", "nulls"], 0, "0 vacuous, 1 hold anywhere\n"),
    (ACTS_ANYWHERE, &["--extent", "nulls"], 0, "0 vacuous, 1 hold anywhere\n"),
    (
        ACTS_NOT_ANYWHERE,
        &["--extent", "nulls"],
        1,
        "it says that it holds anywhere, and does not pass without a sandbox",
    ),
    (
        NOT_ANYWHERE,
        &["--extent", "nulls"],
        1,
        "it says that it holds anywhere, and does not pass without a sandbox",
    ),
    (SOUND, &[], 0, "0 vacuous, 0 hold anywhere"),
    (SOUND, &[], 0, "\nnamespace pid: the host's "),
    (SOUND, &[], 0, "blind spot: no claim fails with no_new_privs: not set"),
    (SOUND, &["--deny", "blind"], 1, "blind spot"),
    (SOUND, &["--min-caught", "90"], 1, "breakages caught"),
    (
        VACUOUS,
        &[],
        1,
        "nothing turns it red; narrow it or, if it is so without any sandbox, say `holds_anywhere: true`",
    ),
    (VACUOUS, &["--deny", "nothing"], 0, "1 vacuous"),
    (ONLY_BROKEN, &[], 1, "vacuous: "),
    (ANYWHERE, &[], 0, "1 hold anywhere"),
    (NOT_ANYWHERE, &[], 1, "it says that it holds anywhere, and does not pass without a sandbox"),
    (WRONG, &[], 1, "failed: "),
    (SKIPPED, &[], 3, "1 not measured here"),
    (SOUND, &["--claim", "no such"], 2, "no claim is chosen: nothing would be proven"),
];

#[test]
fn each_kind_of_claim_is_told_as_what_it_is() {
    for (claims, arguments, code, says) in CASES {
        let output = prove(claims, arguments);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(*code), "{claims} {arguments:?}: {said}");
        assert!(said.contains(says), "{claims} {arguments:?}: no `{says}` in {said}");
    }
}

#[test]
fn the_matrix_is_there_for_programs() {
    let output = prove(SOUND, &["--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let claim = &told["claims"][0];
    assert_eq!(claim["verdict"], "proven");
    assert_eq!(claim["under"]["namespace pid: the host's"], "failed");
    assert_eq!(claim["under"]["no sandbox at all"], "failed");
    assert_eq!(claim["under"]["no_new_privs: not set"], "passed");
    let breakages = told["breakages"].as_array().unwrap();
    let pid = breakages.iter().find(|breakage| breakage["name"] == "namespace pid: the host's").unwrap();
    assert_eq!(pid["by"].as_array().unwrap().len(), 1, "{pid}");
    assert_eq!(told["score"]["claims"], 1);
}

/// The second passes only in a sandbox in which the first was not before it.
const DISTURBING: &str = "  leaves a file: { exec: echo left > /left, inside: { paths: { /left: { type: file } } } }\n  \
finds none: { exec: test ! -e /left, inside: { pid: 1 } }\n";

#[test]
fn what_one_claim_does_is_no_catch_of_another() {
    let told = prove_to_json(DISTURBING, "matrix");
    for claim in told["claims"].as_array().unwrap() {
        assert_eq!(claim["under"]["no_new_privs: not set"], "passed", "{claim}");
    }
    assert_eq!(told["claims"][1]["under"]["namespace pid: the host's"], "failed");
}

/// What no other claim catches is tried on it nevertheless.
#[test]
fn a_claim_that_acts_is_done_with_once_it_is_red_unless_the_whole_matrix_is_wanted() {
    let claims = format!("{DISTURBING}  has its umask: {{ inside: {{ umask: \"0022\" }} }}\n");
    let tried = |extent: &str, way: &str| {
        prove_to_json(&claims, extent)["claims"][1]["under"][way].as_str().map(str::to_owned)
    };
    assert_eq!(tried("whole", "leak: umask"), None);
    assert_eq!(tried("whole", "leak: environment").as_deref(), Some("passed"));
    assert_eq!(tried("matrix", "leak: umask").as_deref(), Some("passed"));
}

/// Whose sandbox shares the host's name with the one before would find it renamed already.
#[test]
fn the_host_has_its_name_again_for_the_next_claim() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let spec = "scenario: Names\nsandbox: { image: base, new: [mount, pid, uts], hostname: box, seccomp: none, mask: [], read_only: [], \
capabilities: { keep: [sys_admin] } }\nclaims:\n  keeps its own: { steps: [{ exec: echo renamed > /proc/sys/kernel/hostname }, \
{ inside: { hostname: renamed }, host: { hostname: { unchanged: true } } }] }\n";
    let output = prove_spec(spec, &["--extent", "matrix", "--format", "json", "--jobs", "1"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    for way in ["a bare chroot with the host's /proc, /sys and /dev", "namespace uts: the host's"] {
        assert_eq!(told["claims"][0]["under"][way], "failed", "{way}");
    }
}

fn prove_to_json(claims: &str, extent: &str) -> Value {
    let output = prove(claims, &["--extent", extent, "--deny", "nothing", "--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_tables_of_a_document_are_made() {
    let output = prove(SOUND, &["--format", "markdown"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "| no sandbox at all | 1 | 0 | 1 | 0 |",
        "| namespace …: the host's | ",
        "| no_new_privs: not set | 1 | 0 | 0 … 0 |",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
}

/// In a sandbox without a PID namespace of its own this kills all that it sees, which is the quarantine and not the machine.
#[test]
fn what_kills_everything_kills_the_quarantine_only() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("spec.yaml");
    let text = "scenario: Kills\nsandbox: { image: base, new: [mount, pid] }\nclaims:\n  kills: { exec: \"kill -9 -1; true\" }\n";
    fs::write(&spec, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_airtight")).arg("prove").arg(&spec).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("a claim killed the proof's own processes"), "{said}");
}
