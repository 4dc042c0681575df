//! Another crate with a one-line `tests/isolation.rs`, and the bundled specs, under `cargo test` and cargo-nextest.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const OWN: &str = "own::A sandbox of another crate::has its own host name [native]";
const WRONG: &str = "own::A sandbox of another crate::is not PID 4711 [native]";
const SKIPPED: &str = "own::A sandbox of another crate::needs what no machine has [native]";

#[test]
fn another_crate_has_its_claims_as_tests() {
    let listed = isolation(&["--list"]);
    assert!(listed.status.success(), "{}", told(&listed));
    let names: Vec<String> = text(&listed.stdout)
        .lines()
        .filter_map(|line| line.strip_suffix(": test").map(str::to_owned))
        .collect();
    assert_eq!(names, [OWN, WRONG, SKIPPED]);

    let passed = isolation(&["--exact", OWN]);
    assert!(passed.status.success(), "{}", told(&passed));
    assert!(text(&passed.stdout).contains("1 passed; 0 failed; 0 ignored"), "{}", told(&passed));

    let all = isolation(&[]);
    assert_eq!(all.status.code(), Some(101), "{}", told(&all));
    let shown = text(&all.stdout);
    assert!(shown.contains("expected 4711, observed 1"), "{shown}");
    assert!(shown.contains("1 passed; 1 failed; 1 ignored"), "{shown}");
    assert!(shown.contains("no program `no-such-program` on the host's PATH"), "{shown}");
}

/// A run that measured nothing is red, and so is one in which something that was required is missing.
#[test]
fn another_crate_cannot_be_green_without_measuring() {
    let nothing = isolation(&["needs what no machine has"]);
    assert!(!nothing.status.success(), "{}", told(&nothing));
    let required = cargo(&["test", "-p", "downstream", "--test", "isolation", "--", "--exact", SKIPPED])
        .env("AIRTIGHT_REQUIRE", "program")
        .output()
        .unwrap();
    assert!(!required.status.success(), "{}", told(&required));
    assert!(text(&required.stdout).contains("required, but skipped: "), "{}", told(&required));
}

#[test]
fn nextest_runs_one_claim_by_its_name() {
    let nextest = |words: &[&str]| cargo(&[&["nextest"], words].concat()).output().unwrap();
    if !nextest(&["--version"]).status.success() {
        return eprintln!("not measured: cargo-nextest is not installed");
    }
    let listed = nextest(&["list", "--test", "specs", "--message-format", "oneline"]);
    let bundled = a_bundled_claim();
    assert!(text(&listed.stdout).contains(&bundled), "{}", told(&listed));
    let passed = nextest(&["run", "--test", "specs", "--", "--exact", &bundled]);
    assert!(passed.status.success(), "{}", told(&passed));
    assert!(text(&passed.stderr).contains("1 test run: 1 passed"), "{}", told(&passed));
    let failed = nextest(&["run", "-p", "downstream", "--no-fail-fast"]);
    assert_eq!(failed.status.code(), Some(100), "{}", told(&failed));
    assert!(text(&failed.stderr).contains("1 passed, 1 failed, 1 skipped"), "{}", told(&failed));
}

fn a_bundled_claim() -> String {
    let mut list = Command::new(env!("CARGO_BIN_EXE_airtight"));
    let output = list.args(["list", "specs/pid/first-process.yaml"]).output().unwrap();
    let name = text(&output.stdout).lines().next().unwrap().to_owned();
    name.replacen("first-process::", "pid/first-process::", usize::from(!name.starts_with("pid/")))
}

fn isolation(arguments: &[&str]) -> Output {
    let words = ["test", "-p", "downstream", "--test", "isolation", "--"];
    cargo(&[&words, arguments].concat()).output().unwrap()
}

/// The cargo that runs these tests, with the folder that it builds in, so that next to nothing is compiled.
fn cargo(words: &[&str]) -> Command {
    let profile = Path::new(env!("CARGO_BIN_EXE_airtight")).parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(words).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.env("CARGO_TARGET_DIR", profile.parent().unwrap()).env("CARGO_NET_OFFLINE", "true");
    command.env_remove("AIRTIGHT_REQUIRE");
    command
}

fn told(output: &Output) -> String {
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
