//! The bare value, `not`, `any_of`, `one_of`.

use std::cmp::Ordering;

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe, describe_matching, show};
use crate::expect::evaluate::evaluate;
use crate::expect::expectation::{Argument, Matching};
use crate::fact::{Kind, Value};

use super::{lists, numbers, texts};

pub(in crate::expect) fn is(matching: &Matching, kind: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Value(expected) = &matching.argument else { return nothing_to_compare(matching) };
    match (kind, expected, value) {
        (_, Value::Array(expected), Value::Array(actual)) => {
            let ordered = !matches!(kind, Kind::Set(_));
            lists::same_elements(matching, kind, expected, actual, ordered)
        }
        (_, Value::String(expected), Value::String(actual))
            if expected.contains('\n') || actual.contains('\n') =>
        {
            texts::same_lines(matching.at, expected, actual)
        }
        _ => Check::from(equal(kind, expected, value), || Miss::new(matching.at, show(expected), value)),
    }
}

pub(in crate::expect) fn not(matching: &Matching, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Argument::Expectation(inner) = &matching.argument else { return nothing_to_compare(matching) };
    let expected = || format!("not {}", describe(inner));
    evaluate(inner, kind, value, scene).negate(|| Miss::new(inner.at, expected(), value))
}

pub(in crate::expect) fn any_of(matching: &Matching, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Argument::Alternatives(list) = &matching.argument else { return nothing_to_compare(matching) };
    let checks = list.iter().map(|inner| evaluate(inner, kind, value, scene));
    Check::any(checks, || Miss::new(matching.at, describe_matching(matching), value))
}

pub(in crate::expect) fn one_of(matching: &Matching, kind: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Values(list) = &matching.argument else { return nothing_to_compare(matching) };
    let holds = list.iter().any(|expected| equal(kind, expected, value));
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

/// Whether two values of this kind are the same: modes are numbers, the elements of a set have no order.
pub(in crate::expect) fn equal(kind: &Kind, left: &Value, right: &Value) -> bool {
    match (kind, left, right) {
        (Kind::Mode, Value::String(left), Value::String(right)) => octal(left) == octal(right),
        (Kind::Limit, ..) | (Kind::Any, Value::Number(_), Value::Number(_)) => {
            numbers::compare(left, right) == Some(Ordering::Equal)
        }
        (_, Value::Array(left), Value::Array(right)) => {
            lists::difference(kind, left, right, !matches!(kind, Kind::Set(_))).is_none()
        }
        (_, Value::Object(left), Value::Object(right)) => {
            let same = |name: &String| {
                left.get(name).zip(right.get(name)).is_some_and(|(a, b)| equal(&kind.of_field(name), a, b))
            };
            left.len() == right.len() && left.keys().all(same)
        }
        _ => left == right,
    }
}

/// A matcher whose argument was not decoded as its shape says: it cannot be judged, and so does not hold.
pub(in crate::expect) fn nothing_to_compare(matching: &Matching) -> Check {
    let label = format!("`{}` has no argument that it can be held against", matching.matcher.name);
    Check::Broken(vec![Miss::labelled(matching.at, label, describe_matching(matching), None)])
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok()
}
