//! Scenarios: sandboxes, and the claims made of them.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::about;
use super::blocks::{check_definitions, used_blocks};
use super::checks;
use super::claims::{self, claims};
use super::decode::decode;
use super::head::ScenarioHead;
use super::load::Used;
use super::model::Scenario;
use super::problem::Notes;
use super::rows::{self, Values, Variables};
use super::scope::Scope;
use super::settings::Settings;
use super::tree::{Data, Entry, Node, kind_of};

/// The parts of a scenario that have variables of their own, and so are not substituted with the rest.
const WITH_OWN_VARIABLES: [&str; 3] = ["claims", "define", "for_each"];

/// The scenarios of a document, one per row; none of one that only defines blocks.
pub(super) fn scenarios(document: &Node, documents: &[Node], notes: &mut Notes) -> Vec<Scenario> {
    if !matches!(document.data, Data::Map(_)) {
        let problem = notes.error(document.at, "a spec is a mapping", format!("found {}", kind_of(document)));
        problem.help("start with `scenario: A sentence`");
        return Vec::new();
    }
    check_definitions(document, notes);
    if let [only] = document.entries()
        && only.key == "define"
    {
        return Vec::new();
    }
    let own = document.entry("for_each");
    let (mut used, mut all) = (Used::new(), Vec::new());
    let rows = rows::rows(own, notes);
    for row in &rows {
        all.extend(scenario(document, row, documents, &mut used, notes));
    }
    if !rows.is_empty() {
        rows::unused(own, &used, notes);
    }
    all
}

/// Scenarios are told apart by their names and rows.
pub(super) fn refuse_duplicates(all: &[Scenario], notes: &mut Notes) {
    let mut seen: BTreeMap<(&str, &str), &Scenario> = BTreeMap::new();
    for scenario in all {
        if let Some(first) = seen.insert((&scenario.name, &scenario.row), scenario) {
            let message = format!("two scenarios have the name `{}`", scenario.name);
            let problem = notes.error(scenario.at, message, "this one");
            if first.at != scenario.at {
                problem.also(first.at, "and this one");
            }
            problem.help("give it a name of its own, or its rows different values");
        }
    }
}

fn scenario(
    document: &Node,
    row: &Values,
    documents: &[Node],
    used: &mut Used,
    notes: &mut Notes,
) -> Option<Scenario> {
    let node = substituted(document, row, used, notes);
    let head: ScenarioHead = decode(&node, "a scenario", &[], notes)?;
    let at = node.entry("scenario").map_or(node.at, |entry| entry.value.at);
    checks::sentence(&head.scenario, at, "scenario", notes);
    let sandboxes = sandboxes(&head, &node, notes);
    let (has_why, names) = (head.why.is_some(), sandboxes.keys().cloned().collect());
    let timeout = head.timeout.map(|span| span.0);
    let scope = Scope { has_why, timeout, sandboxes: names, ..Scope::default() };
    let mut all =
        node.entry("claims").map(|entry| claims(entry, row, &scope, used, notes)).unwrap_or_default();
    all.extend(used_blocks(&node, documents, &scope, notes));
    claims::refuse_duplicates(&all, notes);
    if node.entry("claims").is_none() && node.entry("use").is_none() {
        let problem =
            notes.error(at, "the scenario has no claims", "it would pass without checking anything");
        problem.help("add `claims:`");
    }
    let about = about::of_scenario(&head, &node, notes);
    Some(Scenario { name: head.scenario, row: rows::label(row), at, about, sandboxes, claims: all })
}

fn substituted(document: &Node, row: &Values, used: &mut Used, notes: &mut Notes) -> Node {
    let mut variables = Variables::new(row.clone());
    let entries = document.entries().iter().map(|entry| match entry.key.as_str() {
        key if WITH_OWN_VARIABLES.contains(&key) => entry.clone(),
        _ => Entry { value: variables.substitute(&entry.value, notes), ..entry.clone() },
    });
    let data = Data::Map(entries.collect());
    used.extend(variables.used().iter().cloned());
    Node { at: document.at, data }
}

fn sandboxes(head: &ScenarioHead, node: &Node, notes: &mut Notes) -> IndexMap<String, Settings> {
    checks::settings(node.entry("sandbox").map(|entry| &entry.value), head.sandbox.as_ref(), notes);
    let Some(named) = &head.sandboxes else {
        let single = head.sandbox.clone().unwrap_or_default();
        return IndexMap::from([("inside".to_owned(), single)]);
    };
    let Some(entry) = node.entry("sandboxes") else { return named.clone() };
    if head.sandbox.is_some() {
        let problem = notes.error(entry.at, "a scenario has either `sandbox` or `sandboxes`", "");
        problem.help("move the single one into `sandboxes`, with a name");
    }
    if named.is_empty() {
        notes.error(entry.at, "there are no sandboxes", "").help("write `sandboxes: { web: {}, db: {} }`");
    }
    for sandbox in entry.value.entries() {
        checks::settings(Some(&sandbox.value), named.get(&sandbox.key), notes);
        sandbox_name(sandbox, notes);
    }
    named.clone()
}

/// The name of a sandbox is a viewpoint, and must not be mistaken for another word of a step.
fn sandbox_name(entry: &Entry, notes: &mut Notes) {
    let name = entry.key.as_str();
    let words = super::head::STEP_KEYS.iter().chain(&super::head::CLAIM_KEYS).copied();
    let reserved = words.chain(["inside", "outside", "host", "first"]).any(|word| word == name);
    if reserved || name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
        let problem = notes.error(entry.at, format!("a sandbox cannot have the name `{name}`"), "");
        problem.help("choose a single word that means nothing else in a claim");
    }
}
