//! For tests: expectations as a spec writes them.

use std::path::Path;

use super::Expectation;

/// The expectation of the one fact in this text: of `pid: { not: 1 }` that it is not 1.
pub(super) fn decoded(fact: &str) -> Expectation {
    let text = format!("scenario: A scenario\nclaims:\n  holds:\n    inside: {{ {fact} }}\n");
    let spec = crate::spec::parse(Path::new("a.yaml"), text).unwrap_or_else(|problems| panic!("{problems}"));
    spec.scenarios[0].claims[0].steps[0].seen[0].facts[0].expectation.clone()
}
