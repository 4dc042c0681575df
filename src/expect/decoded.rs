//! For tests: expectations as a spec writes them, held against a value.

use std::path::Path;

use super::{Check, Expectation, Miss, Scene, evaluate};
use crate::fact::{Kind, Unobserved, Value, View};
use crate::spec::{Asked, Expected};

/// The expectation of the one fact in this text: of `pid: { not: 1 }` that it is not 1.
pub(super) fn decoded(fact: &str) -> Expectation {
    expected(fact).expectation
}

/// What comes of holding what the text expects of a fact against this value of it. No other viewpoint has looked.
pub(super) fn checked(fact: &str, observed: &Value) -> Check {
    checked_beside(fact, observed, &Err(Unobserved::because("nobody looked")))
}

/// The same beside what every other viewpoint has seen.
pub(super) fn checked_beside(fact: &str, observed: &Value, other: &Result<Value, Unobserved>) -> Check {
    let expected = expected(fact);
    let kind = if let Asked::Fact(fact) = expected.subject { fact.kind } else { Kind::Attempt };
    let scene = Scene {
        view: Some(&View::Inside("inside".to_owned())),
        other: &|_| other.clone(),
        path: &[],
        named: &[],
    };
    evaluate(&expected.expectation, &kind, observed, &scene)
}

/// The same in words: `holds`, or the labels of what does not or was not observed.
pub(super) fn told(fact: &str, observed: &Value) -> String {
    let labels =
        |misses: &[Miss]| misses.iter().map(|miss| miss.label.as_str()).collect::<Vec<_>>().join("; ");
    match checked(fact, observed) {
        Check::Holds => "holds".to_owned(),
        Check::Fails(misses) => labels(&misses),
        Check::Broken(misses) => format!("broken: {}", labels(&misses)),
        Check::NotMeasured(reason) => format!("not measured: {reason}"),
    }
}

fn expected(fact: &str) -> Expected {
    let text = format!("scenario: A scenario\nclaims:\n  holds:\n    inside: {{ {fact} }}\n");
    let spec = crate::spec::parse(Path::new("a.yaml"), text).unwrap_or_else(|problems| panic!("{problems}"));
    spec.scenarios[0].claims[0].steps[0].seen[0].facts[0].clone()
}
