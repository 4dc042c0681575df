//! Runs of airtight's own program, told line by line.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What became of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The spec's file.
    pub(crate) file: String,
    /// The claim's sentence.
    pub(crate) claim: String,
    /// The runtime.
    pub(crate) runtime: String,
    /// `passed`, `failed`, `skipped`, `not_measured`, `broken`.
    pub(crate) outcome: String,
    /// The whole line, for a message.
    pub(crate) text: String,
}

/// `airtight run --format json` with these arguments. It must tell of at least one test, and end with its summary.
pub(crate) fn run(arguments: &[&str]) -> Vec<Told> {
    run_with(arguments, &[])
}

/// The same, with further variables in the environment.
pub(crate) fn run_with(arguments: &[&str], variables: &[(&str, &Path)]) -> Vec<Told> {
    let output = Command::new(env!("CARGO_BIN_EXE_airtight"))
        .args(["run", "--format", "json"])
        .args(arguments)
        .env_remove("AIRTIGHT_REQUIRE")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect();
    assert_eq!(
        lines.last().map(|line| &line["type"]),
        Some(&Value::from("summary")),
        "{arguments:?}: {stderr}"
    );
    lines[..lines.len() - 1].iter().map(told).collect()
}

fn told(line: &Value) -> Told {
    let of = |place: &Value, key: &str| {
        place[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {line}")).to_owned()
    };
    let spec = &line["spec"];
    Told {
        file: of(spec, "file"),
        claim: of(spec, "claim"),
        runtime: of(spec, "runtime"),
        outcome: of(line, "outcome"),
        text: line.to_string(),
    }
}
