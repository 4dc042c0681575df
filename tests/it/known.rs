//! What the files of the bundled runtimes know not to hold.

use std::fs;
use std::process::Command;

use regex::Regex;
use serde_yaml::Value;

/// An excuse for a claim that was renamed would excuse nothing, and one that says nothing would excuse anything.
#[test]
fn each_known_issue_is_of_a_claim_that_there_is() {
    let claims = claims();
    let (mut patterns, mut strays) = (0, Vec::new());
    for file in fs::read_dir("src/sandbox/command/catalogue").unwrap() {
        let path = file.unwrap().path();
        let file: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let lists = [&file["known_issues"], &file["unprivileged"]["known_issues"]];
        for issue in lists.into_iter().filter_map(Value::as_sequence).flatten() {
            assert!(issue["link"].as_str().unwrap().starts_with("https://"), "{}: {issue:?}", path.display());
            for pattern in issue["claims"].as_sequence().unwrap().iter().filter_map(Value::as_str) {
                let regex =
                    Regex::new(&format!("^{}$", regex::escape(pattern).replace(r"\*", ".*"))).unwrap();
                patterns += 1;
                if !claims.iter().any(|claim| regex.is_match(claim)) {
                    strays.push(format!("{}: {pattern}", path.display()));
                }
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
    assert!(patterns > 200, "only {patterns} patterns were found");
}

/// Without their specs' names and their runtimes.
fn claims() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_airtight")).args(["list", "specs"]).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let claim = |name: &str| {
        let (_, name) = name.split_once("::")?;
        Some(name.rsplit_once(" [")?.0.to_owned())
    };
    names.lines().filter_map(claim).collect()
}
