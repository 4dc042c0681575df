//! Every fact of a sandbox at once, and the spec that is recorded from it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use airtight::fact::{TABLE, Vantage};
use nix::unistd::Uid;
use serde_json::Value;

fn airtight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_airtight"))
        .args(arguments)
        .env_remove("AIRTIGHT_REQUIRE")
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn probed(arguments: &[&str]) -> Value {
    let output = airtight(&[&["probe", "--format", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", told(&output)))
}

#[test]
fn every_fact_is_told_or_why_it_is_not() {
    let facts = TABLE.iter().filter(|fact| fact.argument.is_none() && fact.views.contains(&Vantage::Inside));
    let facts: Vec<&str> = facts.map(|fact| fact.name).collect();
    for (place, is_sandbox) in [(&["native"][..], true), (&[][..], false)] {
        let probed = probed(place);
        for fact in &facts {
            let there = ["facts", "unobserved"].map(|part| probed[part].get(fact).is_some());
            assert!(there[0] != there[1], "{place:?} {fact}: {probed}");
        }
        assert_eq!(probed["facts"]["pid"] == 1, is_sandbox, "{place:?}");
        assert_eq!(probed["facts"]["namespaces"]["own"].as_array().unwrap().len() == 8, is_sandbox);
    }
}

#[test]
fn a_recorded_spec_holds_where_it_was_recorded_and_nowhere_less() {
    // The others need root here; what is not there is not measured.
    let others = ["bwrap", "runc", "unshare"].into_iter().filter(|_| Uid::effective().is_root());
    for runtime in ["native"].into_iter().chain(others) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recorded.yaml");
        let recorded = airtight(&["record", runtime, "--output", path.to_str().unwrap()]);
        if recorded.status.code() == Some(4) && told(&recorded).contains("is not there") {
            eprintln!("not measured: {}", told(&recorded));
            continue;
        }
        assert!(recorded.status.success(), "{runtime}: {}", told(&recorded));
        holds_on(&path, runtime);
        holds_nothing_without_a_sandbox(&path, runtime);
    }
}

fn holds_on(path: &Path, runtime: &str) {
    let output = airtight(&["run", path.to_str().unwrap()]);
    let text = fs::read_to_string(path).unwrap();
    assert!(output.status.success(), "{runtime}: {}\n{text}", told(&output));
}

/// Each claim has recorded a difference from the host.
fn holds_nothing_without_a_sandbox(path: &Path, runtime: &str) {
    let text = fs::read_to_string(path).unwrap().replace(&format!("[{runtime}]"), "[none]");
    fs::write(path, text).unwrap();
    let output = airtight(&["run", "--runtime", "none", "--format", "json", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let tests: Vec<Value> = lines.filter(|line| line["type"] == "test").collect();
    let held: Vec<&Value> = tests.iter().filter(|test| test["outcome"] == "passed").collect();
    assert!(held.is_empty() && !tests.is_empty(), "{runtime}: {held:#?}");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    fs::write(&path, "mine").unwrap();
    let output = airtight(&["record", "native", "--output", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn what_is_no_runtime_is_told() {
    for command in ["probe", "record"] {
        let output = airtight(&[command, "rnc"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(told(&output).contains("unknown runtime `rnc`"), "{}", told(&output));
    }
}
