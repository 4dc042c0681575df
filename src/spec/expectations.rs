//! Expectations as a spec writes them: a bare value, a bare list, a bare word, or a mapping of matchers and fields.

use serde_json::Value;

use crate::expect::{Argument, Expectation, IS, Matcher, Matching, Shape, Span, TABLE, Term, find};
use crate::fact::{Kind, Vantage, View};

use super::arguments::argument;
use super::problem::Notes;
use super::scope::Scope;
use super::suggest::{did_you_mean, one_of};
use super::tree::{Data, Entry, Node};
use super::values::{in_words, mend, value};

/// What an expectation is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// The name of the fact, for messages.
    pub(super) what: &'a str,
    /// Who sees it; `None` for what a command gives.
    pub(super) view: Option<&'a View>,
    /// The viewpoints from which it can be seen.
    pub(super) views: &'a [Vantage],
    /// The names that are viewpoints here.
    pub(super) scope: &'a Scope,
    /// Whether the expectation is of an element of a list, which no other viewpoint has.
    pub(super) element: bool,
}

/// An expectation of a value of this kind; `None` with a note if it is none.
pub(super) fn expectation(
    node: &Node,
    kind: &Kind,
    frame: &Frame<'_>,
    notes: &mut Notes,
) -> Option<Expectation> {
    let terms = match &node.data {
        Data::Wrong => return None,
        Data::Map(entries) if entries.is_empty() => return nothing(node, "this mapping", notes),
        Data::List(items) if items.is_empty() => return nothing(node, "this list", notes),
        Data::Map(entries) => terms(entries, kind, frame, notes)?,
        _ => vec![Term::Match(bare(node, kind, frame, notes)?)],
    };
    Some(Expectation { at: node.at, terms })
}

fn nothing<T>(node: &Node, what: &str, notes: &mut Notes) -> Option<T> {
    let problem = notes.error(node.at, format!("{what} expects nothing"), "");
    problem.help("write what is expected; for an empty list or text there is `empty`");
    None
}

/// A bare value: a matcher's word where the kind has no texts of its own, else exactly this.
fn bare(node: &Node, kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<Matching> {
    let of_texts = matches!(kind, Kind::Text | Kind::Any | Kind::Mode | Kind::Word(_));
    if let (Some(text), false) = (node.text(), of_texts) {
        if let Some(matcher) = find(text).filter(|matcher| takes_nothing(matcher)) {
            check_applies(matcher, node.at, kind, frame, notes)?;
            return Some(Matching { matcher, argument: Argument::Nothing, at: node.at });
        }
        if matches!(kind, Kind::Path(_) | Kind::Attempt) {
            let words = applicable(kind).filter(|matcher| takes_nothing(matcher)).map(|matcher| matcher.name);
            let help = did_you_mean(text, words.collect::<Vec<_>>()).or_else(|| mend(node, kind));
            let help = help.unwrap_or_default();
            notes.error(node.at, format!("unknown word `{text}`"), "").help(help);
            return None;
        }
    }
    let argument = Argument::Value(value(node, kind, notes)?);
    Some(Matching { matcher: &IS, argument, at: node.at })
}

fn terms(entries: &[Entry], kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<Vec<Term>> {
    let terms: Vec<_> = entries.iter().map(|entry| term(entry, kind, frame, notes)).collect();
    terms.into_iter().collect()
}

fn term(entry: &Entry, kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<Term> {
    let Entry { key, at, value } = entry;
    if let Some(field) = kind.fields().iter().find(|field| field.name == key) {
        return field_term(entry, &field.kind, frame, notes);
    }
    // A map's keys are its own: only a matcher that goes with maps is one there.
    let matcher = find(key).filter(|matcher| !matches!(kind, Kind::Map(_)) || (matcher.applies)(kind));
    match (matcher, kind) {
        (Some(matcher), _) => {
            check_applies(matcher, *at, kind, frame, notes)?;
            matching(matcher, *at, value, kind, frame, notes).map(Term::Match)
        }
        (None, Kind::Map(inner)) => field_term(entry, inner, frame, notes),
        (None, _) => unknown(key, *at, kind, frame, notes),
    }
}

fn field_term(entry: &Entry, kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<Term> {
    let expectation = expectation(&entry.value, kind, frame, notes)?;
    Some(Term::Field { name: entry.key.clone(), at: entry.at, expectation })
}

fn matching(
    matcher: &'static Matcher,
    at: Span,
    node: &Node,
    kind: &Kind,
    frame: &Frame<'_>,
    notes: &mut Notes,
) -> Option<Matching> {
    if let (true, Data::Scalar(Value::Bool(truth))) = (takes_nothing(matcher), &node.data) {
        let plain = Matching { matcher, argument: Argument::Nothing, at };
        return if *truth { Some(plain) } else { negated(plain) };
    }
    let argument = argument(matcher, node, kind, frame, notes)?;
    // The frame of a failure underlines what was expected; where that is a value, the value.
    let at = if matches!(argument, Argument::Nothing) { at } else { node.at };
    Some(Matching { matcher, argument, at })
}

/// `empty: false` is `not: empty`.
fn negated(plain: Matching) -> Option<Matching> {
    let at = plain.at;
    let inner = Expectation { at, terms: vec![Term::Match(plain)] };
    Some(Matching { matcher: find("not")?, argument: Argument::Expectation(Box::new(inner)), at })
}

fn takes_nothing(matcher: &Matcher) -> bool {
    matches!(matcher.shape, Shape::Nothing | Shape::Refusal)
}

fn check_applies(
    matcher: &Matcher,
    at: Span,
    kind: &Kind,
    frame: &Frame<'_>,
    notes: &mut Notes,
) -> Option<()> {
    let name = matcher.name;
    if !(matcher.applies)(kind) {
        let message = format!("`{name}` does not go with `{}`", frame.what);
        let problem = notes.error(at, message, format!("the value is {}", in_words(kind)));
        let known: Vec<_> = applicable(kind).map(|matcher| format!("`{}`", matcher.name)).collect();
        problem.help(format!("there are {}", known.join(", ")));
        return None;
    }
    let relates = matcher.shape == Shape::Views || name == "unchanged";
    if relates && (frame.element || frame.view.is_none()) {
        let of = if frame.element { "an element of a list" } else { "what a command gives" };
        let problem = notes.error(at, format!("`{name}` does not go with {of}"), "no other viewpoint has it");
        problem.help("compare a fact as a whole, or one of its fields");
        return None;
    }
    Some(())
}

fn applicable(kind: &Kind) -> impl Iterator<Item = &'static Matcher> {
    let kind = *kind;
    TABLE.iter().filter(move |matcher| (matcher.applies)(&kind))
}

fn unknown<T>(key: &str, at: Span, kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<T> {
    let fields = kind.fields().iter().map(|field| field.name);
    let known: Vec<_> = fields.chain(applicable(kind).map(|matcher| matcher.name)).collect();
    let what = if kind.fields().is_empty() { "matcher" } else { "field or matcher" };
    let label = format!("not a {what} of `{}`", frame.what);
    notes.error(at, format!("unknown {what} `{key}`"), label).help(one_of(key, known));
    None
}
