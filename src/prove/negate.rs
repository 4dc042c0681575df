//! Claims with one expectation turned round: whoever expects the opposite must fail. An expectation that holds either way
//! checks nothing.

use std::sync::Arc;

use crate::expect::{Argument, Expectation, Matching, Span, Term, find};
use crate::spec::{Action, Asked, Claim, Command, Expected, Pace, Spec, Step};

/// A claim with one of its expectations negated.
#[derive(Debug)]
pub(super) struct Negated {
    /// The claim, of which all else is as it was.
    pub(super) claim: Claim,
    /// Where the expectation stands.
    pub(super) at: Span,
    /// What it is about: `pid`, `stdout`.
    pub(super) what: String,
}

/// A spec of nothing but the claim, once for each of its expectations; with it where each expectation stands and what it is about.
pub(super) fn negations(spec: &Spec, scenario: usize, claim: usize) -> (Arc<Spec>, Vec<(Span, String)>) {
    let mut copy = spec.clone();
    let mut only = copy.scenarios.swap_remove(scenario);
    let negated = of_claim(&only.claims[claim]);
    let places = negated.iter().map(|negated| (negated.at, negated.what.clone())).collect();
    only.claims = negated.into_iter().map(|negated| negated.claim).collect();
    copy.scenarios = vec![only];
    (Arc::new(copy), places)
}

fn of_claim(claim: &Claim) -> Vec<Negated> {
    (0..).map_while(|number| negate(claim, number)).collect()
}

/// The claim with the expectation of this number negated; `None` beyond the last.
fn negate(claim: &Claim, number: usize) -> Option<Negated> {
    let mut claim = claim.clone();
    let mut left = number;
    let (at, what) = claim.steps.iter_mut().find_map(|step| negate_in_step(step, &mut left))?;
    claim.row = format!("{} negated {number} {what}", claim.row);
    Some(Negated { claim, at, what })
}

/// What comes true some time is false throughout for whoever negates it, and the other way round; what else must hold at that time
/// says nothing of any other.
fn negate_in_step(step: &mut Step, left: &mut usize) -> Option<(Span, String)> {
    if let Some(found) = negate_in_action(step.action.as_mut(), left) {
        if step.pace != Pace::Now {
            step.seen.clear();
            step.action.iter_mut().for_each(|action| expect_only(action, &found.1));
        }
        step.pace = turned(step.pace);
        return Some(found);
    }
    let (place, fact, at) = step.seen.iter_mut().enumerate().find_map(|(place, seen)| {
        let negated = seen.facts.iter_mut().enumerate();
        let mut found = negated.map(|(fact, expected)| (fact, negate_in(&mut expected.expectation, left)));
        found.find_map(|(fact, at)| Some((place, fact, at?)))
    })?;
    let what = name_of(&step.seen[place].facts[fact]);
    if step.pace != Pace::Now {
        step.seen = vec![step.seen.swap_remove(place)];
        step.seen[0].facts = vec![step.seen[0].facts.swap_remove(fact)];
    }
    step.pace = turned(step.pace);
    Some((at, what))
}

const fn turned(pace: Pace) -> Pace {
    match pace {
        Pace::Now => Pace::Now,
        Pace::Within(limit) => Pace::Stays(limit),
        Pace::Stays(limit) => Pace::Within(limit),
    }
}

fn name_of(expected: &Expected) -> String {
    let name = match expected.subject {
        Asked::Fact(fact) => fact.name.to_owned(),
        Asked::Attempt(attempt) => format!("attempts.{}", attempt.name),
    };
    if expected.argument.is_empty() { name } else { format!("{name} {}", expected.argument) }
}

fn negate_in_action(action: Option<&mut Action>, left: &mut usize) -> Option<(Span, String)> {
    let (Action::Run(command) | Action::Exec(command) | Action::HostRun(command)) = action? else {
        return None;
    };
    let Command { exit, signal, stdout, stderr, .. } = command;
    let parts = [("exit", exit), ("signal", signal), ("stdout", stdout), ("stderr", stderr)];
    parts.into_iter().find_map(|(name, part)| {
        let at = negate_in(part.as_mut()?, left)?;
        Some((at, name.to_owned()))
    })
}

/// Leaves of what is expected of a command this part.
fn expect_only(action: &mut Action, name: &str) {
    let (Action::Run(command) | Action::Exec(command) | Action::HostRun(command)) = action else { return };
    let Command { exit, signal, stdout, stderr, .. } = command;
    let parts = [("exit", exit), ("signal", signal), ("stdout", stdout), ("stderr", stderr)];
    parts.into_iter().filter(|(other, _)| *other != name).for_each(|(_, part)| *part = None);
}

/// Negates the matcher that has `left` others before it, all the way down the fields.
fn negate_in(expectation: &mut Expectation, left: &mut usize) -> Option<Span> {
    expectation.terms.iter_mut().find_map(|term| match term {
        Term::Field { expectation, .. } => negate_in(expectation, left),
        Term::Match(matching) if *left == 0 => turn_round(matching),
        Term::Match(_) => {
            *left -= 1;
            None
        }
    })
}

fn turn_round(matching: &mut Matching) -> Option<Span> {
    let at = matching.at;
    let inner = Expectation { at, terms: vec![Term::Match(matching.clone())] };
    *matching = Matching { matcher: find("not")?, argument: Argument::Expectation(Box::new(inner)), at };
    Some(at)
}
