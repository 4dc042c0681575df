//! What must be observed before a claim can be judged.

use crate::expect::{Argument, Expectation, Matching, Term};
use crate::fact::{self, Query, View};
use crate::spec::{Asked, Expected, Seen};

/// Everything that must be observed to judge these, each once: the facts themselves, and what they are compared with. A
/// query from [`View::Beginning`] must be asked of the view in it before the claim's first step.
pub fn queries(seen: &[Seen]) -> Vec<(View, Query)> {
    let mut all = Vec::new();
    for (view, expected) in seen.iter().flat_map(|seen| seen.facts.iter().map(move |fact| (&seen.view, fact)))
    {
        let query = query(expected);
        let mut views = vec![view.clone()];
        compared(&expected.expectation, view, &mut views);
        let pairs = views.into_iter().map(|view| (view, query.clone()));
        for pair in pairs.chain(reference(expected).map(|query| (View::Host, query))) {
            if !all.contains(&pair) {
                all.push(pair);
            }
        }
    }
    all
}

/// What the host must be asked, where a fact shows only against the host.
fn reference(expected: &Expected) -> Option<Query> {
    match expected.subject {
        Asked::Fact(fact) if fact.relate.is_some() => {
            Some(Query { fact: fact::reference(fact).to_owned(), ..query(expected) })
        }
        _ => None,
    }
}

/// Whether a fact shows only against the sandboxes that run, so that their namespaces must be known to judge it.
pub fn needs_sandboxes(seen: &[Seen]) -> bool {
    let related = |expected: &Expected| matches!(expected.subject, Asked::Fact(fact) if fact::reference(fact) == "posture");
    seen.iter().flat_map(|seen| &seen.facts).any(related)
}

/// The query of an expectation.
pub(super) fn query(expected: &Expected) -> Query {
    let fact = match expected.subject {
        Asked::Fact(fact) => fact.name.to_owned(),
        Asked::Attempt(attempt) => format!("attempts.{}", attempt.name),
    };
    Query { fact, argument: expected.argument.clone() }
}

/// The viewpoints that an expectation compares with, all the way down.
fn compared(expectation: &Expectation, view: &View, views: &mut Vec<View>) {
    for term in &expectation.terms {
        match term {
            Term::Field { expectation, .. } => compared(expectation, view, views),
            Term::Match(matching) => compared_by(matching, view, views),
        }
    }
}

fn compared_by(matching: &Matching, view: &View, views: &mut Vec<View>) {
    match (matching.matcher.name, view) {
        ("unchanged", _) => views.push(View::Beginning(Box::new(view.clone()))),
        ("denied", View::Inside(name)) => views.push(View::Control(name.clone())),
        ("masked" | "absent", _) => views.push(View::Host),
        _ => {}
    }
    match &matching.argument {
        Argument::Views(others) => views.extend(others.iter().cloned()),
        Argument::Expectation(inner) => compared(inner, view, views),
        Argument::Alternatives(list) => list.iter().for_each(|inner| compared(inner, view, views)),
        _ => {}
    }
}
