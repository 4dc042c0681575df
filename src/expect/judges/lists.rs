//! `contains`, `contains_all`, `exactly`, `empty`, `count`, `some`, `each`, `none`, `has_key`.

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe_matching, show};
use crate::expect::evaluate::evaluate;
use crate::expect::expectation::{Argument, Expectation, Matching};
use crate::fact::{Kind, Value};

use super::logic::{equal, nothing_to_compare};
use super::whole;

/// How many elements are told of that are not as they should be: a hundred of them say no more than three.
const TOLD: usize = 3;

pub(in crate::expect) fn contains(matching: &Matching, kind: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Value(part) = &matching.argument else { return nothing_to_compare(matching) };
    let inner = kind.of_elements().unwrap_or(Kind::Any);
    let holds = match (value, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(elements), part) => elements.iter().any(|element| equal(&inner, element, part)),
        _ => false,
    };
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

pub(in crate::expect) fn contains_all(
    matching: &Matching,
    kind: &Kind,
    value: &Value,
    _: &Scene<'_>,
) -> Check {
    let (Argument::Values(expected), Value::Array(actual)) = (&matching.argument, value) else {
        return nothing_to_compare(matching);
    };
    let inner = kind.of_elements().unwrap_or(Kind::Any);
    let missing = without(&inner, expected, actual);
    Check::from(missing.is_empty(), || {
        let label = format!("missing {}", show(&Value::Array(missing.clone())));
        let expected = describe_matching(matching);
        Miss { missing, ..Miss::labelled(matching.at, label, expected, Some(value)) }
    })
}

pub(in crate::expect) fn exactly(
    matching: &Matching,
    kind: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    match (&matching.argument, value) {
        (Argument::Values(expected), Value::Array(actual)) => {
            same_elements(matching, kind, expected, actual, false)
        }
        (Argument::Expectation(inner), Value::Object(_)) => {
            whole::exactly(inner, matching.at, kind, value, scene)
        }
        _ => nothing_to_compare(matching),
    }
}

pub(in crate::expect) fn empty(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Some(length) = length(value) else { return nothing_to_compare(matching) };
    Check::from(length == 0, || {
        let extra = value.as_array().cloned().unwrap_or_default();
        Miss { extra, ..Miss::new(matching.at, "nothing in it".to_owned(), value) }
    })
}

pub(in crate::expect) fn count(matching: &Matching, _: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let (Argument::Expectation(inner), Some(length)) = (&matching.argument, length(value)) else {
        return nothing_to_compare(matching);
    };
    let check = evaluate(inner, &Kind::Int, &Value::from(length), scene);
    relabel(check, |miss| {
        let noun = if miss.expected == "1" { "element" } else { "elements" };
        miss.label = format!("expected {} {noun}, observed {length}: {}", miss.expected, show(value));
    })
}

pub(in crate::expect) fn some(matching: &Matching, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Argument::Expectation(inner) = &matching.argument else { return nothing_to_compare(matching) };
    let checks = elements(value).into_iter().map(|element| of_element(inner, kind, element, scene));
    Check::any(checks, || Miss::new(matching.at, describe_matching(matching), value))
}

pub(in crate::expect) fn each(matching: &Matching, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Argument::Expectation(inner) = &matching.argument else { return nothing_to_compare(matching) };
    let elements = elements(value);
    if elements.is_empty() {
        return nothing_in_it(matching, value);
    }
    Check::all(elements.into_iter().map(|element| {
        let check = of_element(inner, kind, element, scene);
        relabel(check, |miss| miss.extra = vec![element.clone()])
    }))
    .at_most(TOLD)
}

pub(in crate::expect) fn none(matching: &Matching, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Argument::Expectation(inner) = &matching.argument else { return nothing_to_compare(matching) };
    let elements = elements(value);
    if elements.is_empty() {
        return nothing_in_it(matching, value);
    }
    Check::all(elements.into_iter().map(|element| {
        let miss = || Miss::new(matching.at, describe_matching(matching), element);
        of_element(inner, kind, element, scene).negate(|| Miss { extra: vec![element.clone()], ..miss() })
    }))
    .at_most(TOLD)
}

pub(in crate::expect) fn has_key(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Value(Value::String(key)) = &matching.argument else { return nothing_to_compare(matching) };
    let holds = value.get(key.as_str()).is_some();
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

/// Compares two lists, and names what is missing and what is there besides.
pub(in crate::expect) fn same_elements(
    matching: &Matching,
    kind: &Kind,
    expected: &[Value],
    actual: &[Value],
    ordered: bool,
) -> Check {
    let Some((missing, extra)) = difference(kind, expected, actual, ordered) else { return Check::Holds };
    let whole = Value::Array(actual.to_vec());
    let list = |name: &str, values: &[Value]| {
        (!values.is_empty()).then(|| format!("{name} {}", show(&Value::Array(values.to_vec()))))
    };
    let parts: Vec<_> = [list("missing", &missing), list("besides", &extra)].into_iter().flatten().collect();
    let wanted = show(&Value::Array(expected.to_vec()));
    let label = if parts.is_empty() {
        format!("the order differs: observed {}", show(&whole))
    } else {
        parts.join(", ")
    };
    Check::Fails(vec![Miss { missing, extra, ..Miss::labelled(matching.at, label, wanted, Some(&whole)) }])
}

/// What is missing from the second list and what is in it besides; `None` where they are the same.
pub(in crate::expect) fn difference(
    kind: &Kind,
    expected: &[Value],
    actual: &[Value],
    ordered: bool,
) -> Option<(Vec<Value>, Vec<Value>)> {
    let inner = kind.of_elements().unwrap_or(Kind::Any);
    let pairs = || expected.iter().zip(actual).all(|(left, right)| equal(&inner, left, right));
    if ordered && expected.len() == actual.len() && pairs() {
        return None;
    }
    let (missing, extra) = (without(&inner, expected, actual), without(&inner, actual, expected));
    (ordered || !missing.is_empty() || !extra.is_empty()).then_some((missing, extra))
}

/// The elements of the first list that the second lacks; each counts as often as it stands there.
fn without(kind: &Kind, list: &[Value], other: &[Value]) -> Vec<Value> {
    let mut left: Vec<&Value> = other.iter().collect();
    let mut lacking = Vec::new();
    for element in list {
        match left.iter().position(|candidate| equal(kind, candidate, element)) {
            Some(index) => drop(left.swap_remove(index)),
            None => lacking.push(element.clone()),
        }
    }
    lacking
}

fn of_element(inner: &Expectation, kind: &Kind, element: &Value, scene: &Scene<'_>) -> Check {
    evaluate(inner, &kind.of_elements().unwrap_or(Kind::Any), element, scene)
}

/// `each` and `none` hold of an empty list whatever they say: that would be a pass that checked nothing.
fn nothing_in_it(matching: &Matching, value: &Value) -> Check {
    let label = format!("nothing is in it, so `{}` says nothing", matching.matcher.name);
    Check::Fails(vec![Miss::labelled(matching.at, label, describe_matching(matching), Some(value))])
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(elements) => elements.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Array(elements) => Some(elements.len()),
        Value::Object(fields) => Some(fields.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}

fn relabel(check: Check, change: impl Fn(&mut Miss)) -> Check {
    match check {
        Check::Fails(mut misses) => {
            misses.iter_mut().for_each(change);
            Check::Fails(misses)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::expect::Check;
    use crate::expect::decoded::{checked, told};
    use crate::fact::Value;

    #[expect(clippy::needless_pass_by_value, reason = "the rows of a table are read more easily")]
    fn check(fact: &str, observed: Value, expected: &str) {
        assert_eq!(told(fact, &observed), expected, "{fact} of {observed}");
    }

    #[test]
    fn a_list_contains_elements_and_a_text_its_parts() {
        check("hostname: { contains: ox }", json!("box"), "holds");
        check("hostname: { contains: ox }", json!("bo"), "expected contains \"ox\", observed \"bo\"");
        check("nspid: { contains: 1 }", json!([4711, 1]), "holds");
        check("nspid: { contains: 1 }", json!([11]), "expected contains 1, observed [11]");
        check("groups: { contains_all: [2, 1] }", json!([1, 2, 3]), "holds");
        check("groups: { contains_all: [2, 1, 1] }", json!([1, 2, 3]), "missing [1]");
    }

    #[test]
    fn what_is_counted_are_elements_fields_and_characters() {
        check("nspid: { count: 2 }", json!([1, 2]), "holds");
        check("nspid: { count: 1 }", json!([]), "expected 1 element, observed 0: []");
        check("nspid: { count: 3 }", json!([7]), "expected 3 elements, observed 1: [7]");
        check("env: { count: 1 }", json!({ "A": "b" }), "holds");
        check("env: empty", json!({ "A": "b" }), "expected nothing in it, observed { A: \"b\" }");
        check("env: empty", json!({}), "holds");
        check("files: { /a: { empty: true } }", json!(""), "holds");
        check("files: { /a: { empty: true } }", json!("x"), "expected nothing in it, observed \"x\"");
    }

    #[test]
    fn expectations_hold_of_the_values_of_a_map() {
        let env = || json!({ "A": "x", "B": "y" });
        check("env: { some: \"y\" }", env(), "holds");
        check("env: { some: z }", env(), "expected some \"z\", observed { A: \"x\", B: \"y\" }");
        check("env: { each: { not: z } }", env(), "holds");
        check("env: { each: { not: x } }", env(), "expected not \"x\", observed \"x\"");
        check("env: { none: z }", env(), "holds");
        check("env: { none: x }", env(), "expected none \"x\", observed \"x\"");
        check("env: { has_key: B }", env(), "holds");
        check("env: { has_key: y }", env(), "expected has key \"y\", observed { A: \"x\", B: \"y\" }");
    }

    /// The order of a list counts, that of a set does not; how often an element is there counts in both.
    #[test]
    fn lists_and_sets_are_compared_as_what_they_are() {
        check("groups: [1, 2]", json!([2, 1]), "holds");
        check("groups: [1, 1]", json!([1]), "missing [1]");
        check("groups: [1]", json!([1, 1]), "besides [1]");
        check("nspid: [1, 2]", json!([1, 2]), "holds");
        check("nspid: [1, 2]", json!([2, 1]), "the order differs: observed [2, 1]");
        check("nspid: { exactly: [1, 2] }", json!([2, 1]), "holds");
        check("nspid: { exactly: [1, 2] }", json!([2, 3]), "missing [1], besides [3]");
    }

    /// By them the diff of a posture tells the elements.
    #[test]
    fn elements_that_are_missing_or_there_besides_are_kept_apart() {
        let check = |fact: &str, observed: Value, missing: Value, extra: Value| {
            let Check::Fails(misses) = checked(fact, &observed) else { panic!("{fact} of {observed}") };
            let found = (Value::from(misses[0].missing.clone()), Value::from(misses[0].extra.clone()));
            assert_eq!(found, (missing, extra), "{fact} of {observed}");
        };
        check("groups: [1, 2]", json!([2, 3]), json!([1]), json!([3]));
        check("groups: { contains_all: [1, 2] }", json!([2, 3]), json!([1]), json!([]));
        check("groups: empty", json!([2, 3]), json!([]), json!([2, 3]));
        check("groups: { each: { less_than: 3 } }", json!([2, 3]), json!([]), json!([3]));
        check("groups: { none: 2 }", json!([2, 3]), json!([]), json!([2]));
    }
}
