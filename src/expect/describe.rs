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
        View::Inside(name) if name == "inside" => "inside".to_owned(),
        View::Outside(name) if name == "inside" => "outside".to_owned(),
        View::Inside(name) => name.clone(),
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
