//! Claims: each a sentence, its steps, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::about;
use super::checks;
use super::decode::decode;
use super::head::{CLAIM_KEYS, ClaimHead, Issue, STEP_KEYS};
use super::model::{Action, Claim, KnownIssue, Pace, Step, TIMEOUT};
use super::problem::Notes;
use super::rows::{self, Values, Variables};
use super::scope::Scope;
use super::steps::{step, viewpoints};
use super::tree::{Data, Entry, Node};
use crate::fact::View;

/// The claims of a mapping, with the values that hold for all of them. The names of the values that were used are added to
/// `used`.
pub(super) fn claims(
    entry: &Entry,
    outer: &Values,
    scope: &Scope,
    used: &mut BTreeSet<String>,
    notes: &mut Notes,
) -> Vec<Claim> {
    if entry.value.entries().is_empty() && !entry.value.is_wrong() {
        let message = match entry.value.data {
            Data::Map(_) => "there are no claims",
            _ => "`claims` takes a mapping",
        };
        let problem = notes.error(entry.at, message, "");
        problem.help("write `claims: { has a PID of its own: { inside: { pid: 1 } } }`");
    }
    let mut all = Vec::new();
    for claim in entry.value.entries() {
        all.extend(of_rows(claim, outer, scope, used, notes));
    }
    all
}

/// The names of claims are those of tests: each only once.
pub(super) fn refuse_duplicates(claims: &[Claim], notes: &mut Notes) {
    let mut seen: BTreeMap<(&str, &str), &Claim> = BTreeMap::new();
    for claim in claims {
        let Some(first) = seen.insert((&claim.name, &claim.row), claim) else { continue };
        // Rows that are the same were reported already.
        if !Arc::ptr_eq(&first.source, &claim.source) || first.at != claim.at || claim.row.is_empty() {
            let message = format!("two claims have the name `{}`", claim.name);
            let help = "each claim is a test: give it a name of its own";
            if Arc::ptr_eq(&first.source, &claim.source) {
                let mut here = Notes::new(Arc::clone(&claim.source));
                let problem = here.error(claim.at, message, "this one").help(help);
                if first.at != claim.at {
                    problem.also(first.at, "and this one");
                }
                notes.absorb(here);
            } else {
                notes.error(first.at, message, "a block that is used has this name as well").help(help);
            }
        }
    }
}

fn of_rows(
    entry: &Entry,
    outer: &Values,
    scope: &Scope,
    used: &mut BTreeSet<String>,
    notes: &mut Notes,
) -> Vec<Claim> {
    let mut outside = Variables::new(outer.clone());
    let own = entry
        .value
        .entry("for_each")
        .map(|entry| Entry { value: outside.substitute(&entry.value, notes), ..entry.clone() });
    used.extend(outside.used().iter().cloned());
    let mut inner_used = BTreeSet::new();
    let mut all = Vec::new();
    shadowing(own.as_ref(), outer, notes);
    let rows = rows::rows(own.as_ref(), notes);
    for row in &rows {
        let known = outer.iter().chain(row).map(|(name, node)| (name.clone(), node.clone())).collect();
        let mut variables = Variables::new(known);
        let node = variables.substitute(&without(&entry.value, "for_each"), notes);
        inner_used.extend(variables.used().iter().cloned());
        all.extend(claim(entry, &node, rows::label(row), scope, notes));
    }
    if !rows.is_empty() {
        rows::unused(own.as_ref(), &inner_used, notes);
    }
    used.extend(inner_used);
    all
}

/// A name of two rows would mean different things in different places.
fn shadowing(own: Option<&Entry>, outer: &Values, notes: &mut Notes) {
    for entry in
        own.iter().flat_map(|entry| entry.value.entries()).filter(|entry| outer.contains_key(&entry.key))
    {
        let problem =
            notes.error(entry.at, format!("the scenario has a variable `{}` already", entry.key), "");
        problem.help("give it another name");
    }
}

fn without(node: &Node, key: &str) -> Node {
    match &node.data {
        Data::Map(entries) => {
            let entries = entries.iter().filter(|entry| entry.key != key).cloned().collect();
            Node { at: node.at, data: Data::Map(entries) }
        }
        _ => node.clone(),
    }
}

fn claim(entry: &Entry, node: &Node, row: String, scope: &Scope, notes: &mut Notes) -> Option<Claim> {
    if node.entries().is_empty() {
        if !node.is_wrong() {
            let message = format!("the claim `{}` expects nothing", entry.key);
            notes.error(entry.at, message, "").help("write what must be seen: `inside: { pid: 1 }`");
        }
        return None;
    }
    checks::sentence(&entry.key, entry.at, "claim", notes);
    let (head, body): (Vec<_>, Vec<_>) =
        node.entries().iter().cloned().partition(|entry| CLAIM_KEYS.contains(&entry.key.as_str()));
    let head_node = Node { at: node.at, data: Data::Map(head) };
    let body = Node { at: body.first().map_or(node.at, |entry| entry.at), data: Data::Map(body) };
    let before = notes.count();
    let head: ClaimHead = decode(&head_node, "a claim", &STEP_KEYS, notes)?;
    checks::settings(head_node.entry("with").map(|entry| &entry.value), head.with.as_ref(), notes);
    let given = head_node.entry("given").map(|entry| viewpoints(entry, scope, notes)).unwrap_or_default();
    let steps = steps(&head_node, &body, scope, notes);
    if notes.count() == before && !node.has_wrong() && !steps.iter().any(expects_of_sandbox) {
        expects_nothing(entry, &steps, notes);
    }
    anywhere_for_a_reason(&head, &head_node, scope, notes);
    longer_than_allowed(&head, &steps, scope, notes);
    let about = about::of_claim(&head, &head_node, notes);
    let (with, holds_anywhere) = (head.with.clone(), head.holds_anywhere);
    let known_issues = known_issues(head, &head_node, notes);
    let (name, source, at) = (entry.key.clone(), Arc::clone(&notes.source), entry.at);
    Some(Claim { name, row, source, at, about, with, given, known_issues, holds_anywhere, steps })
}

/// What holds without a sandbox says nothing of one: that it is meant so needs a reason.
fn anywhere_for_a_reason(head: &ClaimHead, node: &Node, scope: &Scope, notes: &mut Notes) {
    if !head.holds_anywhere || head.why.is_some() || scope.has_why {
        return;
    }
    if let Some(entry) = node.entry("holds_anywhere") {
        let problem = notes.error(entry.at, "`holds_anywhere` without a reason", "");
        problem.help("add `why:` to the claim or its scenario: what makes this so even without a sandbox?");
    }
}

fn steps(head: &Node, body: &Node, scope: &Scope, notes: &mut Notes) -> Vec<Step> {
    let mut scope = scope.clone();
    let Some(entry) = head.entry("steps") else {
        let nothing = body.entries().is_empty();
        return if nothing {
            Vec::new()
        } else {
            step(body, &CLAIM_KEYS, &mut scope, notes).into_iter().collect()
        };
    };
    for stray in body.entries() {
        let problem = notes.error(stray.at, format!("`{}` stands beside `steps`", stray.key), "");
        problem.help("make it a step of its own, in its order");
    }
    match &entry.value.data {
        Data::List(items) if !items.is_empty() => {
            items.iter().filter_map(|node| step(node, &[], &mut scope, notes)).collect()
        }
        Data::Wrong => Vec::new(),
        _ => {
            notes.error(entry.at, "`steps` takes a list of steps", "").help("write `- exec: …` below it");
            Vec::new()
        }
    }
}

/// Whether a step expects something of a sandbox: a command in it does, since its exit status is expected.
fn expects_of_sandbox(step: &Step) -> bool {
    let command = match &step.action {
        Some(Action::Run(command) | Action::Exec(command)) => {
            [&command.exit, &command.signal, &command.stdout, &command.stderr]
                .into_iter()
                .any(Option::is_some)
        }
        _ => false,
    };
    command || step.seen.iter().any(|seen| seen.view != View::Host)
}

fn expects_nothing(entry: &Entry, steps: &[Step], notes: &mut Notes) {
    let host =
        steps.iter().any(|step| !step.seen.is_empty() || matches!(step.action, Some(Action::HostRun(_))));
    let what = if host { "only of the host" } else { "nothing" };
    let problem = notes.error(entry.at, format!("the claim `{}` expects {what}", entry.key), "");
    problem.help("expect something of a sandbox: `inside`, `outside`, `run` or `exec`");
}

/// What must stay so for longer than the claim may take can never be seen.
fn longer_than_allowed(head: &ClaimHead, steps: &[Step], scope: &Scope, notes: &mut Notes) {
    let limit = head.timeout.map(|span| span.0).or(scope.timeout).unwrap_or(TIMEOUT);
    let mut waited = Duration::ZERO;
    for step in steps {
        let Pace::Stays(long) = step.pace else { continue };
        waited += long;
        if waited >= limit {
            let message =
                format!("what stays so for {waited:?} is not seen in the claim's time of {limit:?}");
            notes.error(step.at, message, "").help("give the claim a longer `timeout`");
            return;
        }
    }
}

fn known_issues(head: ClaimHead, node: &Node, notes: &mut Notes) -> Vec<KnownIssue> {
    let value = node.entry("known_issue").map(|entry| &entry.value);
    let written: Vec<&Node> = match value.map(|value| (value, &value.data)) {
        Some((_, Data::List(items))) => items.iter().collect(),
        Some((value, _)) => vec![value],
        None => Vec::new(),
    };
    for entry in written.iter().filter_map(|issue| issue.entry("until")) {
        entry.value.text().into_iter().for_each(|day| checks::date(day, entry.value.at, notes));
    }
    let known = head.known_issue.0.into_iter();
    known
        .map(|Issue { runtime, kernel, link, because, until }| KnownIssue {
            runtime,
            kernel,
            link,
            because,
            until,
        })
        .collect()
}
