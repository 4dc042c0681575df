//! SARIF 2.1.0, for code scanning: `--report sarif=FILE` (OASIS, "Static Analysis Results Interchange Format"). A rule for each claim that
//! has a result, a result for each column in which it is red, or known to fail. Written with structs of our own: of the form a dozen fields are
//! used, and the crates that have all of it generate thousands.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::image::hex;
use crate::report::matrix::{Cell, Column, Mark, Matrix, Row};
use crate::report::visible::{cut, in_one_line, visible};

/// The most of one claim's drawing, in characters.
const DRAWN: usize = 8000;

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Columns of places are counted in characters.
    column_kind: &'static str,
    results: Vec<Found>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

/// A claim.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    short_description: Text,
    full_description: Text,
    help: Text,
    default_configuration: Configuration,
    properties: Tags,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Tags {
    tags: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    properties: On,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Place,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

#[derive(Serialize)]
struct Fingerprints {
    /// Of the claim's name and its column: the same from run to run, whatever was observed and wherever the line has moved.
    #[serde(rename = "claim/v1")]
    claim: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}

#[derive(Serialize)]
struct On {
    outcome: &'static str,
    runtime: String,
    kernel: Option<String>,
}

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let (mut rules, mut results) = (Vec::new(), Vec::new());
    for row in &matrix.rows {
        let found: Vec<Found> = matrix
            .columns
            .iter()
            .zip(&row.cells)
            .filter_map(|(column, cell)| result(row, column, cell.as_ref()?, rules.len()))
            .collect();
        if !found.is_empty() {
            rules.push(rule(row));
            results.extend(found);
        }
    }
    let driver = Driver { name: "airtight", version: env!("CARGO_PKG_VERSION"), rules };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    let schema = "https://json.schemastore.org/sarif-2.1.0.json";
    // Texts and numbers: nothing in it can fail to be written.
    serde_json::to_string_pretty(&Log { schema, version: "2.1.0", runs: [run] }).unwrap_or_default() + "\n"
}

fn rule(row: &Row) -> Rule {
    let about = row.about.as_ref();
    let why = about.and_then(|about| about.why.clone()).unwrap_or_else(|| row.sentence().to_owned());
    let lines: Vec<&str> = [why.as_str()]
        .into_iter()
        .chain(about.iter().flat_map(|about| about.see.iter().map(String::as_str)))
        .collect();
    let heading = about.map(|about| format!("{}: ", about.scenario)).unwrap_or_default();
    Rule {
        id: in_one_line(&row.name),
        short_description: text(row.sentence()),
        full_description: text(&format!("{heading}{}", row.sentence())),
        help: text(&lines.join("\n")),
        default_configuration: Configuration { level: "error" },
        properties: Tags {
            tags: about.iter().flat_map(|about| &about.tags).map(|tag| visible(tag)).collect(),
        },
    }
}

/// `None` for what is neither red nor known to fail.
fn result(row: &Row, column: &Column, cell: &Cell, rule: usize) -> Option<Found> {
    let known = cell.mark == Mark::KnownIssue;
    if !known && !cell.mark.is_red() {
        return None;
    }
    let suppression = || Suppression {
        kind: "external",
        justification: visible(cell.reason.as_deref().unwrap_or_default()),
    };
    Some(Found {
        rule_id: in_one_line(&row.name),
        rule_index: rule,
        level: if known { "note" } else { "error" },
        message: message(row, column, cell),
        locations: row.about.iter().map(|about| location(&about.file, about.line)).collect(),
        partial_fingerprints: Fingerprints { claim: fingerprint(row, column) },
        suppressions: known.then(suppression).into_iter().collect(),
        properties: On {
            outcome: cell.mark.key(),
            runtime: visible(&column.runtime),
            kernel: column.kernel.as_deref().map(visible),
        },
    })
}

fn message(row: &Row, column: &Column, cell: &Cell) -> Text {
    let head = format!("{} on {}: {}\n{}", cell.mark.word(), column.name, row.sentence(), cell.summary());
    let drawn = cut(cell.drawn.as_deref().unwrap_or_default(), DRAWN);
    text(format!("{head}\n{drawn}").trim_end())
}

/// A relative path is below what the viewer takes for the root of the sources.
fn location(file: &str, line: usize) -> Location {
    let region = Region { start_line: line.max(1) };
    Location { physical_location: Place { artifact_location: Artifact { uri: uri(file) }, region } }
}

/// A path as the path of a URI (RFC 3986, section 3.3).
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let letter = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    scheme.chars().map(String::from).chain(path.bytes().map(letter)).collect()
}

fn fingerprint(row: &Row, column: &Column) -> String {
    hex(Sha256::new().chain_update(format!("{}\0{}", row.name, column.name)))
}

fn text(text: &str) -> Text {
    Text { text: visible(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::file::sample;

    #[test]
    fn what_is_red_is_a_result_with_its_rule() {
        let log: Value = serde_json::from_str(&document(&sample::hostile())).unwrap();
        let (run, no) = (&log["runs"][0], Vec::new());
        let results = run["results"].as_array().unwrap();
        let levels: Vec<_> = results.iter().map(|result| result["level"].as_str().unwrap()).collect();
        assert_eq!(levels, ["error", "error", "error", "error", "note"]);
        for result in results {
            let rule = &run["tool"]["driver"]["rules"]
                [usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
            assert!(rule["help"]["text"].as_str().unwrap().starts_with("Because of "));
            let known = result["properties"]["outcome"] == "known_issue";
            assert_eq!(result["suppressions"].as_array().unwrap_or(&no).len(), usize::from(known));
        }
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "specs/p%20d/one.yaml");
        assert_eq!(place["region"]["startLine"], 7);
    }

    #[test]
    fn a_fingerprint_is_of_the_claim_and_not_of_the_run() {
        let prints = |matrix: &Matrix| {
            let log: Value = serde_json::from_str(&document(matrix)).unwrap();
            let results = log["runs"][0]["results"].as_array().unwrap().clone();
            results
                .iter()
                .map(|result| result["partialFingerprints"]["claim/v1"].to_string())
                .collect::<Vec<_>>()
        };
        let (one, mut other) = (sample::hostile(), sample::hostile());
        for row in &mut other.rows {
            row.about.as_mut().unwrap().line += 100;
            row.cells.iter_mut().flatten().for_each(|cell| cell.drawn = None);
        }
        assert_eq!(prints(&one), prints(&other));
        let distinct: std::collections::BTreeSet<_> = prints(&one).into_iter().collect();
        assert_eq!(distinct.len(), 5);
    }

    #[test]
    fn paths_are_uris() {
        let check = |path: &str, expected: &str| assert_eq!(uri(path), expected);
        check("specs/a b.yaml", "specs/a%20b.yaml");
        check("/a/é:#?%", "file:///a/%C3%A9%3A%23%3F%25");
    }
}
