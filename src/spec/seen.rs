//! What is expected from a viewpoint: facts and attempts, looked up in their tables.

use crate::expect::Expectation;
use crate::fact::{ATTEMPTS, Attempt, Bait, Fact, Kind, ON_HOST, TABLE, Vantage, View, find, find_attempt};

use super::expectations::{Frame, expectation};
use super::model::{Asked, Expected, Seen};
use super::problem::Notes;
use super::scope::{Scope, seen_from, vantage};
use super::suggest::one_of;
use super::tree::{Entry, Node, kind_of};

/// The word under which attempts stand.
const ATTEMPTS_WORD: &str = "attempts";

/// What is expected from one viewpoint; `None` with notes if it is wrong as a whole.
pub(super) fn seen(entry: &Entry, view: View, scope: &Scope, notes: &mut Notes) -> Option<Seen> {
    let entries = mapping(&entry.value, entry, "a fact and what is expected of it: `{ pid: 1 }`", notes)?;
    let mut facts = Vec::new();
    for fact in entries {
        facts.extend(of_fact(fact, &view, scope, notes));
    }
    (!facts.is_empty()).then_some(Seen { view, at: entry.at, facts })
}

fn of_fact(entry: &Entry, view: &View, scope: &Scope, notes: &mut Notes) -> Vec<Expected> {
    if entry.key == ATTEMPTS_WORD {
        return attempts(entry, view, scope, notes);
    }
    let Some(fact) = known_fact(entry, view, notes) else { return Vec::new() };
    let frame = Frame { what: fact.name, view: Some(view), views: fact.views, scope, element: false };
    let subject = Asked::Fact(fact);
    let Some(argument) = fact.argument else {
        let expectation = expectation(&entry.value, &fact.kind, &frame, notes);
        return expectation.map(|found| expected(subject, "", entry, found)).into_iter().collect();
    };
    let mend = format!("`{{ {argument}: expectation }}`");
    let Some(entries) = mapping(&entry.value, entry, &mend, notes) else { return Vec::new() };
    let of_argument = |entry: &Entry| {
        argument_fits(argument, entry, notes);
        let found = expectation(&entry.value, &fact.kind, &frame, notes)?;
        Some(expected(subject, &entry.key, entry, found))
    };
    entries.iter().filter_map(of_argument).collect()
}

fn known_fact(entry: &Entry, view: &View, notes: &mut Notes) -> Option<&'static Fact> {
    let Entry { key, at, .. } = entry;
    let from = vantage(view);
    let Some(fact) = find(key) else {
        let facts = TABLE.iter().filter(|fact| fact.views.contains(&from)).map(|fact| fact.name);
        let known: Vec<_> = facts.chain((from == Vantage::Inside).then_some(ATTEMPTS_WORD)).collect();
        let label = format!("not a fact that can be seen {}", seen_from(&[from]));
        let help = super::suggest::did_you_mean(key, known);
        let help = help.unwrap_or_else(|| "`airtight explain` lists the facts".to_owned());
        notes.error(*at, format!("unknown fact `{key}`"), label).help(help);
        return None;
    };
    if !fact.views.contains(&from) {
        let here = seen_from(&[from]);
        let problem = notes.error(*at, format!("`{key}` cannot be seen {here}"), "");
        problem.help(format!("it can be seen {}", seen_from(fact.views)));
        return None;
    }
    Some(fact)
}

/// A path must be absolute: the agent's working directory is no part of what a spec says.
fn argument_fits(argument: &str, entry: &Entry, notes: &mut Notes) {
    let Some(key) = with_bait(entry, notes) else { return };
    if argument == "PATH" && !key.starts_with('/') {
        let problem = notes.error(entry.at, format!("the path `{}` is not absolute", entry.key), "");
        problem.help(format!("write it from the root: `/{}`", entry.key));
    }
}

/// The key with names of bait in their places.
fn with_bait(entry: &Entry, notes: &mut Notes) -> Option<String> {
    let filled = Bait::sample().fill(&entry.key);
    let wrong = |reason: String| {
        let (reason, help) = reason.split_once(": ").unwrap_or((&reason, ""));
        notes.error(entry.at, reason, "").help(help);
    };
    filled.map_err(wrong).ok()
}

/// An attempt that the host makes as well must do it no harm.
fn may_be_made_on_host(attempt: &Attempt, object: &Entry, expectation: &Expectation, notes: &mut Notes) {
    let on_host = expectation.mentions("out_of_reach");
    if on_host && !(ON_HOST.contains(&attempt.name) && Bait::is_named_in(&object.key)) {
        let message = format!("`{} {}` is nothing that the host tries as well", attempt.name, object.key);
        let help = format!(
            "`out_of_reach` is for `{{bait}}`, and for {}; elsewhere write `denied`",
            ON_HOST.join(", ")
        );
        notes.error(object.at, message, "").help(help);
    }
}

fn attempts(entry: &Entry, view: &View, scope: &Scope, notes: &mut Notes) -> Vec<Expected> {
    if vantage(view) != Vantage::Inside {
        let problem = notes.error(entry.at, "attempts are made inside", "");
        problem.help("move them to `inside`, or to the name of a sandbox");
        return Vec::new();
    }
    let mend = "`{ mount: { tmpfs: denied } }`";
    let Some(verbs) = mapping(&entry.value, entry, mend, notes) else { return Vec::new() };
    let mut all = Vec::new();
    for verb in verbs {
        let Some(attempt) = find_attempt(&verb.key) else {
            let known: Vec<_> = ATTEMPTS.iter().map(|attempt| attempt.name).collect();
            notes
                .error(verb.at, format!("unknown attempt `{}`", verb.key), "")
                .help(one_of(&verb.key, known));
            continue;
        };
        all.extend(objects(attempt, verb, view, scope, notes));
    }
    all
}

fn objects(
    attempt: &'static Attempt,
    verb: &Entry,
    view: &View,
    scope: &Scope,
    notes: &mut Notes,
) -> Vec<Expected> {
    let mend = format!("`{}: {{ {}: denied }}`", attempt.name, attempt.object);
    let Some(objects) = mapping(&verb.value, verb, &mend, notes) else { return Vec::new() };
    let views = &[Vantage::Inside];
    let frame = Frame { what: attempt.name, view: Some(view), views, scope, element: false };
    let of_object = |object: &Entry| {
        let key = with_bait(object, notes)?;
        if let Err(reason) = (attempt.check)(&key) {
            let (reason, help) = reason.split_once(": ").unwrap_or((&reason, attempt.example));
            let message = format!("`{}` cannot be tried on this", attempt.name);
            notes.error(object.at, message, reason).help(help);
        }
        let found = expectation(&object.value, &Kind::Attempt, &frame, notes)?;
        may_be_made_on_host(attempt, object, &found, notes);
        Some(expected(Asked::Attempt(attempt), &object.key, object, found))
    };
    objects.iter().filter_map(of_object).collect()
}

fn expected(subject: Asked, argument: &str, entry: &Entry, expectation: Expectation) -> Expected {
    Expected { subject, argument: argument.to_owned(), at: entry.at, expectation }
}

/// The entries of a mapping that must be one, and not empty.
fn mapping<'a>(node: &'a Node, entry: &Entry, mend: &str, notes: &mut Notes) -> Option<&'a [Entry]> {
    if !node.entries().is_empty() || node.is_wrong() {
        return Some(node.entries());
    }
    let label = format!("found {}", kind_of(node));
    let problem = match &node.data {
        super::tree::Data::Map(_) => notes.error(node.at, format!("`{}` expects nothing", entry.key), ""),
        _ => notes.error(node.at, format!("`{}` takes a mapping", entry.key), label),
    };
    problem.help(format!("write {mend}"));
    None
}
