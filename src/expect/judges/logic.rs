//! The bare value, `not`, `any_of`, `one_of`.

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe, describe_matching, show};
use crate::expect::evaluate::evaluate;
use crate::expect::expectation::{Argument, Matching};
use crate::fact::{Kind, Value};

use super::{lists, texts};

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expect::decoded::told;
    use crate::fact::Field;

    const MODE: Field = Field { name: "mode", kind: Kind::Mode, brief: "" };

    #[test]
    fn values_are_the_same_as_their_kind_has_it() {
        let check = |kind: Kind, left: Value, right: Value, expected: bool| {
            assert_eq!(equal(&kind, &left, &right), expected, "{left} and {right}");
            assert_eq!(equal(&kind, &right, &left), expected, "{right} and {left}");
        };
        check(Kind::Mode, json!("0755"), json!("755"), true);
        check(Kind::Mode, json!("0755"), json!("0750"), false);
        check(Kind::Text, json!("0755"), json!("755"), false);
        check(Kind::Limit, json!("unlimited"), json!("unlimited"), true);
        check(Kind::Limit, json!(64), json!(64), true);
        check(Kind::Limit, json!(64), json!("unlimited"), false);
        check(Kind::Int, json!(1), json!("1"), false);
        check(Kind::Set(&Kind::Mode), json!(["1", "2"]), json!(["02", "01"]), true);
        check(Kind::List(&Kind::Mode), json!(["1", "2"]), json!(["02", "01"]), false);
        check(Kind::Map(&Kind::Mode), json!({ "a": "1" }), json!({ "a": "01" }), true);
        check(Kind::Map(&Kind::Mode), json!({ "a": "1" }), json!({ "b": "1" }), false);
        check(Kind::Map(&Kind::Mode), json!({ "a": "1" }), json!({ "a": "1", "b": "1" }), false);
        check(Kind::Record(&[MODE]), json!({ "mode": "1" }), json!({ "mode": "01" }), true);
        check(Kind::Record(&[]), json!({ "mode": "1" }), json!({ "mode": "01" }), false);
    }

    #[test]
    fn what_does_not_hold_is_told() {
        let check = |fact: &str, observed: Value, expected: &str| {
            assert_eq!(told(fact, &observed), expected, "{fact} of {observed}");
        };
        check("umask: \"0022\"", json!("022"), "holds");
        check("umask: \"0022\"", json!("0027"), "expected \"0022\", observed \"0027\"");
        check("pid: { not: 1 }", json!(2), "holds");
        check("pid: { not: 1 }", json!(1), "expected not 1, observed 1");
        check("pid: { any_of: [1, { at_least: 9 }] }", json!(9), "holds");
        check(
            "pid: { any_of: [1, { at_least: 9 }] }",
            json!(2),
            "expected any of 1, or at least 9, observed 2",
        );
        check("pid: { one_of: [1, 3] }", json!(3), "holds");
        check("pid: { one_of: [1, 3] }", json!(2), "expected one of [1, 3], observed 2");
        check("hostname: \"a\\nb\"", json!("a\nb"), "holds");
        check("hostname: \"a\\nb\"", json!("ab"), "the observed text differs");
        check("hostname: ab", json!("a\nb"), "the observed text differs");
        check("hostname: ab", json!("ba"), "expected \"ab\", observed \"ba\"");
    }
}
