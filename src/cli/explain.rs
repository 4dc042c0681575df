//! `airtight explain`

use clap::Args;

use super::Exit;
use crate::expect;
use crate::fact::{self, Attempt, Fact, Field, Vantage};

/// Explain a fact, an attempt, a matcher, or all of them
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Its name; without one, all names with a sentence each
    name: Option<String>,
}

/// Does it.
pub(super) fn run(arguments: &Explain) -> Exit {
    match &arguments.name {
        None => overview(),
        Some(name) => return one(name),
    }
    Exit::Held
}

fn overview() {
    anstream::println!("Facts");
    for fact in fact::TABLE {
        line(fact.name, fact.brief);
    }
    anstream::println!("\nAttempts");
    for attempt in fact::ATTEMPTS {
        line(attempt.name, attempt.brief);
    }
    anstream::println!("\nMatchers");
    for matcher in expect::TABLE {
        line(matcher.name, matcher.brief);
    }
}

fn line(name: &str, brief: &str) {
    anstream::println!("  {name:<20} {brief}");
}

/// A word may be a fact and a matcher at once; all that it is is told.
fn one(name: &str) -> Exit {
    let fact = fact::find(name);
    let attempt = fact::find_attempt(name.strip_prefix("attempts.").unwrap_or(name));
    let matcher = expect::TABLE.iter().find(|matcher| matcher.name == name);
    fact.into_iter().for_each(explain_fact);
    attempt.into_iter().for_each(explain_attempt);
    if let Some(matcher) = matcher {
        page(matcher.name, "matcher", matcher.brief, matcher.long, matcher.example);
    }
    if fact.is_none() && attempt.is_none() && matcher.is_none() {
        anstream::eprintln!("error: `{name}` is no fact, attempt or matcher; `airtight explain` lists them");
        return Exit::Wrong;
    }
    Exit::Held
}

fn explain_fact(fact: &Fact) {
    let argument = fact.argument.map(|argument| format!(" of a {argument}")).unwrap_or_default();
    page(fact.name, &format!("fact{argument}"), fact.brief, fact.long, fact.example);
    let views = fact.views.iter().map(|view| match view {
        Vantage::Inside => "inside",
        Vantage::Outside => "outside",
        Vantage::Host => "host",
    });
    anstream::println!("Seen from: {}", views.collect::<Vec<_>>().join(", "));
    let fields = fact.kind.of_elements().unwrap_or(fact.kind).fields();
    if !fields.is_empty() {
        anstream::println!("Fields:");
    }
    for Field { name, brief, .. } in fields {
        line(name, brief);
    }
}

fn explain_attempt(attempt: &Attempt) {
    page(
        attempt.name,
        &format!("attempt on a {}", attempt.object),
        attempt.brief,
        attempt.long,
        attempt.example,
    );
    if attempt.name == "experiment" {
        anstream::println!("Experiments:");
        fact::experiments().for_each(|experiment| line(&experiment.form(), experiment.brief));
    }
}

fn page(name: &str, what: &str, brief: &str, long: &str, example: &str) {
    anstream::println!(
        "{name} ({what})\n\n{brief}\n\n{long}\n\nExample:\n  {}\n",
        example.replace('\n', "\n  ")
    );
}
