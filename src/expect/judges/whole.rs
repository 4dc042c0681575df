//! `exactly` of a mapping, and `others`: a value as a whole, so that what is there and not named is noticed.

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe_matching, show};
use crate::expect::diff::NOTHING;
use crate::expect::evaluate::evaluate;
use crate::expect::expectation::{Argument, Expectation, Matching, Span, Term};
use crate::fact::{Kind, Value};

use super::logic::nothing_to_compare;

/// All that is expected holds, and there is nothing in the value that is not named.
pub(in crate::expect) fn exactly(
    inner: &Expectation,
    at: Span,
    kind: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    let besides = unnamed(inner, at, value);
    let none_besides = if besides.is_empty() { Check::Holds } else { Check::Fails(besides) };
    Check::all([evaluate(inner, kind, value, scene), none_besides]).in_one()
}

/// What is there and not named, down to where an expectation is of a value as such: `{ same_as: host }` is of all of it.
fn unnamed(expectation: &Expectation, at: Span, value: &Value) -> Vec<Miss> {
    let Some(fields) = value.as_object().filter(|_| names_fields(expectation)) else { return Vec::new() };
    let named = |name: &str| {
        expectation.terms.iter().find_map(|term| match term {
            Term::Field { name: known, at, expectation } if known == name => Some((*at, expectation)),
            _ => None,
        })
    };
    let rest =
        expectation.terms.iter().any(|term| matches!(term, Term::Match(one) if one.matcher.name == "others"));
    let of_field = |(name, value): (&String, &Value)| {
        let misses = match named(name) {
            Some((at, expectation)) => unnamed(expectation, at, value),
            None if rest => Vec::new(),
            None => {
                let label = format!("`{name}` is there besides: {}", show(value));
                vec![Miss::labelled(at, label, NOTHING.to_owned(), Some(value))]
            }
        };
        misses
            .into_iter()
            .map(|mut miss| {
                miss.path.insert(0, name.clone());
                miss
            })
            .collect::<Vec<_>>()
    };
    fields.iter().flat_map(of_field).collect()
}

fn names_fields(expectation: &Expectation) -> bool {
    expectation.terms.iter().any(|term| matches!(term, Term::Field { .. }))
}

/// Each field that is not named beside it.
pub(in crate::expect) fn others(matching: &Matching, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let (Argument::Expectation(inner), Some(fields)) = (&matching.argument, value.as_object()) else {
        return nothing_to_compare(matching);
    };
    let rest: Vec<_> = fields.iter().filter(|(name, _)| !scene.named.contains(&name.as_str())).collect();
    if rest.is_empty() {
        let label = "there are no others, so `others` says nothing".to_owned();
        return Check::Fails(vec![Miss::labelled(
            matching.at,
            label,
            describe_matching(matching),
            Some(value),
        )]);
    }
    Check::all(rest.into_iter().map(|(name, value)| {
        let path: Vec<&str> = scene.path.iter().copied().chain([name.as_str()]).collect();
        evaluate(inner, &kind.of_field(name), value, &Scene { path: &path, ..*scene }).within(name)
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::expect::Check;
    use crate::expect::decoded::{checked, told};

    #[test]
    fn what_is_there_and_not_named_is_noticed() {
        let check = |fact: &str, observed: Value, expected: &str| {
            assert_eq!(told(fact, &observed), expected, "{fact} of {observed}");
        };
        let both = || json!({ "A": "x", "B": "y" });
        check("env: { exactly: { A: x, B: \"y\" } }", both(), "holds");
        check("env: { exactly: { A: x } }", both(), "`B` is there besides: \"y\"");
        check("env: { exactly: { A: z } }", both(), "2 fields are not as expected: A, B");
        check("env: { exactly: { A: x, others: \"y\" } }", both(), "holds");
        check("env: { exactly: { A: x, others: z } }", both(), "expected \"z\", observed \"y\"");
        check("env: { A: x, others: \"y\" }", both(), "holds");
        check(
            "env: { A: x, B: \"y\", others: \"y\" }",
            both(),
            "there are no others, so `others` says nothing",
        );
        // Down to where a value is expected as such.
        let limits = || json!({ "core": { "soft": 0, "hard": 1 }, "cpu": { "soft": 2, "hard": 3 } });
        check(
            "limits: { exactly: { core: { soft: 0 }, others: { hard: 3 } } }",
            limits(),
            "`hard` is there besides: 1",
        );
        check("limits: { exactly: { core: { soft: 0, hard: 1 }, others: { hard: 3 } } }", limits(), "holds");
        check("limits: { exactly: { core: { not: { soft: 1 } }, others: { hard: 3 } } }", limits(), "holds");
        let addresses = || json!({ "lo": ["::1/128"] });
        check("addresses: { exactly: { lo: { count: 1 } } }", addresses(), "holds");
    }

    #[test]
    fn what_is_noticed_has_its_path() {
        let check = |fact: &str, expected: &[&str]| {
            let observed = json!({ "core": { "soft": 0, "hard": 1 }, "cpu": { "soft": 2 } });
            let Check::Fails(misses) = checked(fact, &observed) else { panic!("{fact}") };
            assert_eq!(
                (misses.len(), &misses[0].path[..]),
                (1, &expected.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..]),
                "{fact}"
            );
        };
        check("limits: { exactly: { core: { soft: 0, hard: 1 } } }", &["cpu"]);
        check("limits: { exactly: { core: { soft: 0 }, cpu: { soft: 2 } } }", &["core", "hard"]);
        check("limits: { core: { soft: 0 }, others: { soft: 1 } }", &["cpu", "soft"]);
    }
}
