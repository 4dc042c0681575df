//! Every fact, every attempt and every matcher in `tests/claims/`: in a claim that holds, and in one that fails, on real sandboxes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use airtight::expect::{Argument, Expectation, IS, TABLE, Term};
use airtight::fact;
use airtight::plan::spec_files;
use airtight::spec::{Action, Asked, Claim, Command, load};

use super::runs::run;

/// The tag of claims that must fail.
const MUST_FAIL: &str = "must-fail";

#[test]
fn each_claim_comes_out_as_it_says() {
    let claims = claims();
    let told = run(&["tests/claims"]);
    assert_eq!(told.len(), claims.len());
    let wrong: Vec<_> = told
        .iter()
        .filter(|told| {
            let claim = &claims[&(told.file.clone(), told.claim.clone())];
            let needy = told.outcome == "skipped" && !claim.about.needs.is_empty();
            told.outcome != if must_fail(claim) { "failed" } else { "passed" } && !needy
        })
        .map(|told| &told.text)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_entry_of_the_tables_holds_once_and_fails_once() {
    let facts = fact::TABLE.iter().map(|fact| fact.name.to_owned());
    let attempts = fact::ATTEMPTS.iter().map(|attempt| format!("attempts.{}", attempt.name));
    let matchers = TABLE.iter().chain([&IS]).map(|matcher| format!("the matcher {}", matcher.name));
    let all: BTreeSet<String> = facts.chain(attempts).chain(matchers).collect();
    let (mut held, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for claim in claims().values() {
        if must_fail(claim) { failed.extend(blamed(claim)) } else { held.extend(used(claim)) }
    }
    let missing = |found: &BTreeSet<String>| all.difference(found).cloned().collect::<Vec<_>>();
    assert_eq!(missing(&held), [""; 0], "in no claim that holds");
    assert_eq!(missing(&failed), [""; 0], "in no claim that fails");
}

/// The claims by file and sentence.
fn claims() -> BTreeMap<(String, String), Claim> {
    let mut found = BTreeMap::new();
    for (path, _) in spec_files(Path::new("tests/claims")).unwrap() {
        let spec = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        for claim in spec.scenarios.into_iter().flat_map(|scenario| scenario.claims) {
            let name = (path.display().to_string(), claim.name.clone());
            assert!(found.insert(name.clone(), claim).is_none(), "{name:?} twice");
        }
    }
    found
}

fn must_fail(claim: &Claim) -> bool {
    claim.about.tags.iter().any(|tag| tag == MUST_FAIL)
}

/// The entries whose failing a failing claim shows: it must expect one thing only, or it could have failed for another.
fn blamed(claim: &Claim) -> BTreeSet<String> {
    let expected: usize = expectations(claim).iter().map(|(_, expectation)| leaves(expectation)).sum();
    assert_eq!(
        expected, 1,
        "`{}` expects more than one thing, so that it is open which of them fails",
        claim.name
    );
    used(claim)
}

/// The facts, attempts and matchers of a claim.
fn used(claim: &Claim) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, expectation) in expectations(claim) {
        found.extend(name);
        matchers(expectation, &mut found);
    }
    found
}

/// All that a claim expects, with what it expects it of; of a command's output without a name.
fn expectations(claim: &Claim) -> Vec<(Option<String>, &Expectation)> {
    let mut found = Vec::new();
    for step in &claim.steps {
        for expected in step.seen.iter().flat_map(|seen| &seen.facts) {
            let name = match expected.subject {
                Asked::Fact(fact) => fact.name.to_owned(),
                Asked::Attempt(attempt) => format!("attempts.{}", attempt.name),
            };
            found.push((Some(name), &expected.expectation));
        }
        if let Some(Action::Exec(command) | Action::Run(command)) = &step.action {
            let Command { stdout, stderr, .. } = command;
            found.extend(stdout.iter().chain(stderr).map(|expectation| (None, expectation)));
        }
    }
    found
}

/// How many things an expectation says, all of which must hold.
fn leaves(expectation: &Expectation) -> usize {
    let of_term = |term: &Term| match term {
        Term::Field { expectation, .. } => leaves(expectation),
        Term::Match(matching) => match &matching.argument {
            Argument::Expectation(inner) => leaves(inner),
            Argument::Pointers(pointers) => pointers.iter().map(|(_, inner)| leaves(inner)).sum(),
            _ => 1,
        },
    };
    expectation.terms.iter().map(of_term).sum()
}

fn matchers(expectation: &Expectation, found: &mut BTreeSet<String>) {
    for term in &expectation.terms {
        match term {
            Term::Field { expectation, .. } => matchers(expectation, found),
            Term::Match(matching) => {
                found.insert(format!("the matcher {}", matching.matcher.name));
                match &matching.argument {
                    Argument::Expectation(inner) => matchers(inner, found),
                    Argument::Alternatives(list) => list.iter().for_each(|inner| matchers(inner, found)),
                    Argument::Pointers(pointers) => {
                        for (_, inner) in pointers {
                            matchers(inner, found);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
