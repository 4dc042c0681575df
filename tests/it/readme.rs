//! The README is true: its specs run, its error is the one that is given, its commands exist, its claims are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use airtight::spec::parse;
use regex::Regex;

/// A fenced block: what stands after its fence, and its text.
struct Block {
    info: String,
    text: String,
}

#[test]
fn every_spec_is_well_formed_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    let specs = blocks("yaml");
    assert!(specs.len() >= 2, "only {} blocks of YAML", specs.len());
    for (number, text) in specs.iter().filter(|text| !is_runtime(text)).enumerate() {
        let path = folder.path().join(format!("block-{number}.yaml"));
        fs::write(&path, as_spec(text)).unwrap();
        let output = airtight(&["run", path.to_str().unwrap()]);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        // A machine may refuse namespaces; then nothing is measured, with the reason.
        let unmeasured = output.status.code() == Some(3) && shown.contains(" × ");
        assert!(
            output.status.success() || unmeasured,
            "{text}\n{shown}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn is_runtime(text: &str) -> bool {
    text.starts_with("runtime:")
}

#[test]
fn the_runtime_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let shown = blocks("yaml").into_iter().find(|text| is_runtime(text)).unwrap();
    let path = folder.path().join("runtime.yaml");
    fs::write(&path, shown).unwrap();
    let output = airtight(&["--runtime-file", path.to_str().unwrap(), "runtime", "show", "pivot"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The catalogue's table, by the folders of the specs.
#[test]
fn the_catalogue_has_as_many_claims_as_are_said() {
    let listed = String::from_utf8(airtight(&["list", "specs"]).stdout).unwrap();
    // A claim is listed for each runtime that its spec names, and with the reason where it is skipped.
    let without = Regex::new(r" \[[^]]*\](  \(skipped: .*\))?$").unwrap();
    let names: BTreeSet<_> = listed.lines().map(|line| without.replace(line, "")).collect();
    let mut areas: BTreeMap<&str, usize> = BTreeMap::new();
    names
        .iter()
        .filter_map(|name| name.split_once('/'))
        .for_each(|(area, _)| *areas.entry(area).or_default() += 1);
    let row = Regex::new(r"(?m)^\| `([a-z]+)` \| (\d+) \| [^|]* \|$").unwrap();
    let readme = fs::read_to_string("README.md").unwrap();
    let said: BTreeMap<&str, usize> = row
        .captures_iter(&readme)
        .map(|found| (found.get(1).unwrap().as_str(), found[2].parse().unwrap()))
        .collect();
    assert_eq!(said, areas);
}

/// A block that is not a whole scenario shows claims.
fn as_spec(text: &str) -> String {
    match text {
        _ if text.contains("scenario:") => text.to_owned(),
        _ if text.starts_with("claims:") => format!("scenario: From the README\n{text}"),
        _ => panic!("neither a scenario nor claims:\n{text}"),
    }
}

#[test]
fn the_error_is_the_one_that_is_given() {
    let shown = blocks("text").into_iter().find(|text| text.starts_with("error: ")).unwrap();
    let right = blocks("yaml").into_iter().find(|text| text.contains("hostname: box")).unwrap();
    let wrong = right.replace("{ pid: 1 }", "{ pidd: 1 }");
    assert_ne!(right, wrong);
    let problems = parse(Path::new("specs/box.yaml"), wrong).unwrap_err();
    assert_eq!(problems.render(false).trim_end(), shown.trim_end());
}

#[test]
fn every_command_exists() {
    let shown = blocks("sh").join("\n");
    let commands: Vec<Vec<String>> = shown.lines().filter_map(command).collect();
    assert!(commands.len() >= 8, "only {} commands", commands.len());
    for words in commands {
        let parsed = airtight::cli::command().try_get_matches_from(&words);
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
    }
}

/// The words of a line that runs airtight; `None` for any other.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next()?.replace("cargo run -- ", "airtight ");
    let words = line.strip_prefix("airtight ")?.replace('"', "'");
    // What stands between quotes is one word.
    let parts = words.split('\'').enumerate().flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    Some([String::from("airtight")].into_iter().chain(parts).collect())
}

#[test]
fn every_claim_that_is_shown_is_there() {
    let listed = airtight(&["list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let runs = blocks("text").join("\n");
    let claims: Vec<&str> = runs.lines().filter_map(|line| line.strip_prefix("  passed       ")).collect();
    assert!(claims.len() >= 3, "only {} claims", claims.len());
    for claim in claims {
        let name = claim.split(" [").next().unwrap();
        assert!(listed.contains(&format!("::{name}")), "no claim `{name}` in the bundled specs");
    }
}

#[test]
fn every_file_that_is_linked_is_there() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(document).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            assert!(Path::new(link).exists(), "{document} links to {link}");
        }
    }
}

/// The blocks of the README whose fence says this.
fn blocks(info: &str) -> Vec<String> {
    let text = fs::read_to_string("README.md").unwrap();
    let fenced = text.split("\n```").enumerate().filter(|(place, _)| place % 2 == 1);
    let all = fenced.map(|(_, part)| {
        let (info, text) = part.split_once('\n').unwrap();
        Block { info: info.to_owned(), text: format!("{text}\n") }
    });
    all.filter(|block| block.info == info).map(|block| block.text).collect()
}

fn airtight(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
    command.args(arguments).env_remove("AIRTIGHT_REQUIRE").stdin(Stdio::null()).output().unwrap()
}
