//! Values and expectations in words.

use crate::fact::{Value, View};

use super::expectation::{Argument, Comparison, Expectation, Matching, Term};

/// Longer values are cut: the frame has room for a line.
const LONGEST: usize = 80;

/// A value in a line: texts in quotes, long ones cut.
pub fn show(value: &Value) -> String {
    let text = match value {
        Value::Array(elements) => format!("[{}]", elements.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name}: {}", show(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Null => "nothing".to_owned(),
        scalar => scalar.to_string(),
    };
    cut(text)
}

/// An expectation in words: `at least 3`, `not 1`.
pub fn describe(expectation: &Expectation) -> String {
    let terms: Vec<_> = expectation.terms.iter().map(describe_term).collect();
    cut(terms.join(" and "))
}

/// A matcher with its argument in words.
pub(crate) fn describe_matching(matching: &Matching) -> String {
    let argument = describe_argument(&matching.argument);
    let words = match matching.matcher.name {
        "is" => return argument,
        name => name.replace('_', " "),
    };
    if argument.is_empty() { words } else { format!("{words} {argument}") }
}

/// A viewpoint as a spec names it.
pub(crate) fn describe_view(view: &View) -> String {
    match view {
        View::Inside(name) => name.clone(),
        View::Outside(name) if name == "inside" => "outside".to_owned(),
        View::Outside(name) => format!("outside {name}"),
        View::Host => "host".to_owned(),
        View::Control(_) => "the control".to_owned(),
        View::Beginning(_) => "the beginning".to_owned(),
    }
}

fn describe_term(term: &Term) -> String {
    match term {
        Term::Match(matching) => describe_matching(matching),
        Term::Field { name, expectation, .. } => format!("`{name}` {}", describe(expectation)),
    }
}

fn describe_argument(argument: &Argument) -> String {
    match argument {
        Argument::Nothing => String::new(),
        Argument::Value(value) => show(value),
        Argument::Values(values) => show(&Value::Array(values.clone())),
        Argument::Pattern(pattern) => format!("`{}`", pattern.text),
        Argument::Expectation(expectation) => describe(expectation),
        Argument::Alternatives(list) => list.iter().map(describe).collect::<Vec<_>>().join(", or "),
        Argument::Views(views) => views.iter().map(describe_view).collect::<Vec<_>>().join(", "),
        Argument::Errno(number) => crate::sys::errno_name(*number),
        Argument::KilledBySeccomp => "SIGSYS".to_owned(),
        Argument::Pointers(list) => {
            let list: Vec<_> = list.iter().map(|(at, inner)| format!("`{at}` {}", describe(inner))).collect();
            list.join(" and ")
        }
        Argument::Version(comparison, numbers) => {
            let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
            format!("{} {}", comparison.sign(), numbers.join("."))
        }
    }
}

impl Comparison {
    /// All, with the longer signs first, so that the first that starts a text is the right one.
    pub const ALL: [Self; 5] = [Self::AtLeast, Self::AtMost, Self::Above, Self::Below, Self::Equal];

    /// Its sign: `>=`.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::Below => "<",
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expect::decoded::decoded;

    #[test]
    fn values_are_shown_in_a_line() {
        let check = |value: Value, expected: &str| assert_eq!(show(&value), expected);
        check(json!("a \"b\""), "\"a \\\"b\\\"\"");
        check(json!([1, "a", [true]]), "[1, \"a\", [true]]");
        check(json!({ "soft": 1, "hard": "unlimited" }), "{ soft: 1, hard: \"unlimited\" }");
        check(Value::Null, "nothing");
        // With its two quotes the first has 80 characters, of two bytes each.
        check(json!("é".repeat(78)), &format!("\"{}\"", "é".repeat(78)));
        check(json!("é".repeat(79)), &format!("\"{}…", "é".repeat(79)));
    }

    #[test]
    fn viewpoints_are_named_as_in_a_spec() {
        let (first, db) = ("inside".to_owned(), "db".to_owned());
        for (view, expected) in [
            (View::Inside(first.clone()), "inside"),
            (View::Outside(first.clone()), "outside"),
            (View::Inside(db.clone()), "db"),
            (View::Outside(db), "outside db"),
            (View::Host, "host"),
            (View::Control(first.clone()), "the control"),
            (View::Beginning(Box::new(View::Inside(first))), "the beginning"),
        ] {
            assert_eq!(describe_view(&view), expected);
        }
    }

    #[test]
    fn expectations_are_told_in_words() {
        let check = |fact: &str, expected: &str| assert_eq!(describe(&decoded(fact)), expected, "{fact}");
        check("pid: 1", "1");
        check("pid: { at_least: 1, less_than: 9 }", "at least 1 and less than 9");
        check("pid: { not: { between: [2, 3] } }", "not between [2, 3]");
        check("pid: { any_of: [1, { more_than: 4 }] }", "any of 1, or more than 4");
        check("pid: { same_as: [outside, host] }", "same as outside, host");
        check("groups: empty", "empty");
        check("hostname: { matches: \"^a\" }", "matches `^a`");
        check(
            "uname: { release: \"6.1\", machine: { like: \"x*\" } }",
            "`release` \"6.1\" and `machine` like `x*`",
        );
        check("files: { /a: { json: { /b: 1, /c: { at_most: 2 } } } }", "json `/b` 1 and `/c` at most 2");
        check("attempts: { mount: { tmpfs: denied } }", "denied");
        check("attempts: { mount: { tmpfs: { denied: SIGSYS } } }", "denied SIGSYS");
        check("attempts: { mount: { tmpfs: { fails: EBUSY } } }", "fails EBUSY");
        for sign in ["=", ">=", "<=", ">", "<"] {
            check(
                &format!("uname: {{ release: {{ version: \"{sign} 6.1\" }} }}"),
                &format!("`release` version {sign} 6.1"),
            );
        }
        let long = "a".repeat(90);
        check(&format!("hostname: {long}"), &format!("\"{}…", &long[..79]));
        check(
            &format!("hostname: {{ ends_with: {long}, like: a }}"),
            &format!("ends with \"{}…", &long[..69]),
        );
    }
}
