//! `at_least`, `at_most`, `more_than`, `less_than`, `between`.

use std::cmp::Ordering;

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::describe_matching;
use crate::expect::expectation::{Argument, Matching};
use crate::fact::{Kind, Value};

use super::logic::nothing_to_compare;

pub(in crate::expect) fn at_least(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    compared(matching, value, Ordering::is_ge)
}

pub(in crate::expect) fn at_most(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    compared(matching, value, Ordering::is_le)
}

pub(in crate::expect) fn more_than(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    compared(matching, value, Ordering::is_gt)
}

pub(in crate::expect) fn less_than(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    compared(matching, value, Ordering::is_lt)
}

pub(in crate::expect) fn between(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Values(bounds) = &matching.argument else { return nothing_to_compare(matching) };
    let [low, high] = bounds.as_slice() else { return nothing_to_compare(matching) };
    let above = compare(value, low).is_some_and(Ordering::is_ge);
    let below = compare(value, high).is_some_and(Ordering::is_le);
    Check::from(above && below, || Miss::new(matching.at, describe_matching(matching), value))
}

/// How two numbers compare; `unlimited` is more than every number. `None` where one is not a number.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    Some(number(left)?.cmp(&number(right)?))
}

fn compared(matching: &Matching, value: &Value, holds: fn(Ordering) -> bool) -> Check {
    let Argument::Value(bound) = &matching.argument else { return nothing_to_compare(matching) };
    let holds = compare(value, bound).is_some_and(holds);
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

fn number(value: &Value) -> Option<i128> {
    match value {
        Value::String(word) if word == "unlimited" => Some(i128::MAX),
        Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_and_unlimited_is_more_than_all() {
        let check = |left: Value, right: Value, expected: Option<Ordering>| {
            assert_eq!(compare(&left, &right), expected, "{left} {right}");
        };
        check(json!(1), json!(2), Some(Ordering::Less));
        check(json!(2), json!(2), Some(Ordering::Equal));
        check(json!("unlimited"), json!(u64::MAX), Some(Ordering::Greater));
        check(json!("unlimited"), json!("unlimited"), Some(Ordering::Equal));
        check(json!(-1), json!(u64::MAX), Some(Ordering::Less));
        check(json!("many"), json!(1), None);
        check(json!(1), json!("1"), None);
        check(json!(1.5), json!(1), None);
    }
}
