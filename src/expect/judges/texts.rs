//! `starts_with`, `ends_with`, `matches`, `like`, `json`, `version`.

use similar::TextDiff;

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe, describe_matching};
use crate::expect::evaluate::evaluate;
use crate::expect::expectation::{Argument, Comparison, Matching, Span};
use crate::fact::{Kind, Value};

use super::logic::nothing_to_compare;

pub(in crate::expect) fn starts_with(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    part(matching, value, |text, part| text.starts_with(part))
}

pub(in crate::expect) fn ends_with(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    part(matching, value, |text, part| text.ends_with(part))
}

pub(in crate::expect) fn matches(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Pattern(pattern) = &matching.argument else { return nothing_to_compare(matching) };
    let holds = value.as_str().is_some_and(|text| pattern.regex.is_match(text));
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

pub(in crate::expect) fn json(matching: &Matching, _: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Argument::Pointers(pointers) = &matching.argument else { return nothing_to_compare(matching) };
    let text = value.as_str().unwrap_or_default();
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let label = format!("the text is not JSON: {error}");
            return Check::Fails(vec![Miss::labelled(matching.at, label, "JSON".to_owned(), Some(value))]);
        }
    };
    Check::all(pointers.iter().map(|(pointer, inner)| {
        if let Some(found) = document.pointer(pointer) {
            return evaluate(inner, &Kind::Any, found, scene);
        }
        let label = format!("the pointer `{pointer}` finds nothing");
        Check::Fails(vec![Miss::labelled(inner.at, label, describe(inner), Some(&document))])
    }))
}

pub(in crate::expect) fn version(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Argument::Version(comparison, wanted) = &matching.argument else {
        return nothing_to_compare(matching);
    };
    let Some(found) = value.as_str().and_then(leading_version) else {
        let label = format!("{} does not start with a version", crate::expect::describe::show(value));
        let expected = describe_matching(matching);
        return Check::Fails(vec![Miss::labelled(matching.at, label, expected, Some(value))]);
    };
    let length = found.len().max(wanted.len());
    let padded = |numbers: &[u64]| {
        numbers.iter().copied().chain(std::iter::repeat(0)).take(length).collect::<Vec<_>>()
    };
    let order = padded(&found).cmp(&padded(wanted));
    let holds = match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::AtLeast => order.is_ge(),
        Comparison::AtMost => order.is_le(),
        Comparison::Above => order.is_gt(),
        Comparison::Below => order.is_lt(),
    };
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

/// The numbers of a dotted version at the start of a text: of `6.1.0-rc3` 6, 1 and 0.
pub(crate) fn leading_version(text: &str) -> Option<Vec<u64>> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let numbers = text[..end].trim_end_matches('.');
    numbers.split('.').map(|number| number.parse().ok()).collect()
}

/// Compares two texts of which one has several lines.
pub(in crate::expect) fn same_lines(at: Span, expected: &str, actual: &str) -> Check {
    Check::from(expected == actual, || {
        let diff = TextDiff::from_lines(expected, actual);
        let unified = diff.unified_diff().context_radius(2).header("expected", "observed").to_string();
        let value = Value::String(actual.to_owned());
        let expected = crate::expect::describe::show(&Value::String(expected.to_owned()));
        let label = "the observed text differs".to_owned();
        Miss { diff: Some(unified), ..Miss::labelled(at, label, expected, Some(&value)) }
    })
}

fn part(matching: &Matching, value: &Value, holds: fn(&str, &str) -> bool) -> Check {
    let Argument::Value(Value::String(part)) = &matching.argument else {
        return nothing_to_compare(matching);
    };
    let holds = value.as_str().is_some_and(|text| holds(text, part));
    Check::from(holds, || Miss::new(matching.at, describe_matching(matching), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expect::decoded::told;

    #[test]
    fn texts_are_held_against_their_parts_and_patterns() {
        let check = |expected: &str, text: &str, words: &str| {
            assert_eq!(
                told(&format!("hostname: {{ {expected} }}"), &json!(text)),
                words,
                "{expected} of {text}"
            );
        };
        check("starts_with: bo", "box", "holds");
        check("starts_with: ox", "box", "expected starts with \"ox\", observed \"box\"");
        check("ends_with: ox", "box", "holds");
        check("ends_with: bo", "box", "expected ends with \"bo\", observed \"box\"");
        check("matches: \"[a-c]o\"", "xbox", "holds");
        check("matches: \"^o\"", "box", "expected matches `^o`, observed \"box\"");
        check("like: \"b?x\"", "box", "holds");
        check("like: \"b*\"", "a box", "expected like `b*`, observed \"a box\"");
    }

    #[test]
    fn versions_compare_number_by_number() {
        let check = |wanted: &str, found: &str, holds: bool| {
            let words = told(&format!("hostname: {{ version: \"{wanted}\" }}"), &json!(found));
            let expected = if holds {
                "holds".to_owned()
            } else {
                format!("expected version {wanted}, observed \"{found}\"")
            };
            assert_eq!(words, expected);
        };
        check("= 6.1", "6.1.0-rc3", true);
        check("= 6.1", "6.1.1", false);
        check(">= 6.9", "6.10", true);
        check(">= 6.1.0", "6.1", true);
        check(">= 6.10", "6.9", false);
        check("<= 6.10", "6.9", true);
        check("<= 6.1", "6.1.0", true);
        check("<= 6.1", "6.1.1", false);
        check("> 6.1", "6.1.1", true);
        check("> 6.1", "6.1", false);
        check("< 6.1", "5.19", true);
        check("< 6.1", "6.1", false);
        let words = told("hostname: { version: \">= 6\" }", &json!("v6"));
        assert_eq!(words, "\"v6\" does not start with a version");
    }

    #[test]
    fn a_version_is_the_numbers_at_the_start() {
        let check = |text: &str, expected: Option<&[u64]>| {
            assert_eq!(leading_version(text).as_deref(), expected, "{text}");
        };
        check("6.1.0-rc3", Some(&[6, 1, 0]));
        check("6.1.", Some(&[6, 1]));
        check("12", Some(&[12]));
        for none in ["", "-1", ".1", "6..1", "rc3"] {
            check(none, None);
        }
    }

    #[test]
    fn pointers_find_what_is_in_json() {
        let check = |pointers: &str, text: &str, expected: &str| {
            assert_eq!(
                told(&format!("files: {{ /a: {{ json: {{ {pointers} }} }} }}"), &json!(text)),
                expected
            );
        };
        let text = "{ \"a\": { \"b\": [1, \"x\"] } }";
        check("/a/b/0: 1, /a/b/1: x", text, "holds");
        check("/a/b/0: 2", text, "expected 2, observed 1");
        check("/a/c: 1", text, "the pointer `/a/c` finds nothing");
        check("\"\": { has_key: a }", text, "holds");
        check("/a: 1", "a", "the text is not JSON: expected value at line 1 column 1");
    }
}
