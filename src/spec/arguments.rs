//! The arguments of matchers, by their shape.

use std::cmp::Ordering;

use regex::RegexBuilder;
use serde_json::Value;

use crate::expect::{
    Argument, Comparison, Expectation, Matcher, Pattern, REFUSALS, Shape, compare, leading_version,
};
use crate::fact::Kind;
use crate::sys::errno_named;

use super::expectations::{Frame, expectation};
use super::problem::Notes;
use super::suggest::did_you_mean;
use super::tree::{Data, Node, kind_of};
use super::values::{list, value};

/// The largest compiled regular expression in bytes: a repetition of repetitions must not take the memory.
const LARGEST_REGEX: usize = 1 << 20;

/// The argument of a matcher that is held against a value of this kind; `None` with a note if it is none.
pub(super) fn argument(
    matcher: &Matcher,
    node: &Node,
    kind: &Kind,
    frame: &Frame<'_>,
    notes: &mut Notes,
) -> Option<Argument> {
    if node.is_wrong() {
        return None;
    }
    let element = || kind.of_elements().unwrap_or(*kind);
    let of_element = Frame { element: true, ..*frame };
    match matcher.shape {
        Shape::Nothing => takes_nothing(matcher, node, notes),
        Shape::Value => value(node, kind, notes).map(Argument::Value),
        Shape::Values => values(matcher, node, kind, notes),
        Shape::Range => range(node, kind, notes),
        Shape::Element => part(matcher, node, &element(), notes),
        Shape::Exactly if matches!(kind, Kind::Record(_) | Kind::Map(_)) => exactly(node, kind, frame, notes),
        Shape::Elements | Shape::Exactly => values(matcher, node, &element(), notes),
        Shape::NestedOthers => expectation(node, &kind.of_others(), frame, notes).map(boxed),
        Shape::Text => part(matcher, node, &Kind::Text, notes),
        Shape::Regex => text(node, notes).and_then(|text| pattern(node, text, text, notes)),
        Shape::Glob => text(node, notes).and_then(|text| pattern(node, text, &glob(text), notes)),
        Shape::Nested => expectation(node, kind, frame, notes).map(boxed),
        Shape::NestedElement => expectation(node, &element(), &of_element, notes).map(boxed),
        Shape::NestedCount => expectation(node, &Kind::Int, &of_element, notes).map(boxed),
        Shape::NestedText => expectation(node, &Kind::Text, &of_element, notes).map(boxed),
        Shape::Alternatives => alternatives(node, kind, frame, notes),
        Shape::Pointers => pointers(node, &of_element, notes),
        Shape::Version => text(node, notes).and_then(|text| version(node, text, notes)),
        Shape::Views => views(node, frame, notes),
        Shape::Refusal => text(node, notes).and_then(|text| refusal(node, text, notes)),
        Shape::Errno => text(node, notes).and_then(|text| errno(node, text, notes)).map(Argument::Errno),
    }
}

/// A part of a text. The empty text is a part of every text: to expect it is to expect nothing.
fn part(matcher: &Matcher, node: &Node, kind: &Kind, notes: &mut Notes) -> Option<Argument> {
    if node.text() == Some("") {
        return everything(&format!("`{}`", matcher.name), node, notes);
    }
    value(node, kind, notes).map(Argument::Value)
}

fn everything<T>(what: &str, node: &Node, notes: &mut Notes) -> Option<T> {
    let problem = notes.error(node.at, format!("{what} holds of every text"), "");
    problem.help("write what is expected; for an empty text there is `empty`");
    None
}

/// All fields of a record or a map, by name.
fn exactly(node: &Node, kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<Argument> {
    let whole = expectation(node, kind, frame, notes)?;
    if whole.terms.iter().all(|term| term.field().is_none()) {
        let problem = notes.error(node.at, "`exactly` names no field", "");
        problem.help("write its fields: `exactly: { NAME: expectation }`");
        return None;
    }
    Some(boxed(whole))
}

fn boxed(expectation: Expectation) -> Argument {
    Argument::Expectation(Box::new(expectation))
}

fn takes_nothing(matcher: &Matcher, node: &Node, notes: &mut Notes) -> Option<Argument> {
    let name = matcher.name;
    let problem =
        notes.error(node.at, format!("`{name}` takes no argument"), format!("found {}", kind_of(node)));
    problem.help(format!("write `{name}: true`"));
    None
}

fn text<'a>(node: &'a Node, notes: &mut Notes) -> Option<&'a str> {
    value(node, &Kind::Text, notes)?;
    node.text()
}

fn items<'a>(what: &str, node: &'a Node, notes: &mut Notes) -> Option<&'a [Node]> {
    match &node.data {
        Data::List(items) if !items.is_empty() => Some(items),
        Data::List(_) => {
            let problem = notes.error(node.at, format!("the list of `{what}` is empty"), "");
            problem.help("write what is expected; for an empty list there is `empty`");
            None
        }
        _ => {
            let label = format!("found {}", kind_of(node));
            let problem = notes.error(node.at, format!("`{what}` takes a list"), label);
            if let Data::Scalar(value) = &node.data {
                problem.help(format!("write `{what}: [{value}, …]`"));
            }
            None
        }
    }
}

fn values(matcher: &Matcher, node: &Node, kind: &Kind, notes: &mut Notes) -> Option<Argument> {
    let items = items(matcher.name, node, notes)?;
    list(items, kind, notes).map(Argument::Values)
}

fn range(node: &Node, kind: &Kind, notes: &mut Notes) -> Option<Argument> {
    let bounds = list(items("between", node, notes)?, kind, notes)?;
    let ordered = matches!(bounds.as_slice(), [low, high] if compare(low, high).is_some_and(Ordering::is_le));
    if !ordered {
        let problem = notes.error(node.at, "`between` takes two numbers, the smaller first", "");
        problem.help("write `between: [1, 10]`");
        return None;
    }
    Some(Argument::Values(bounds))
}

fn alternatives(node: &Node, kind: &Kind, frame: &Frame<'_>, notes: &mut Notes) -> Option<Argument> {
    let list: Vec<_> =
        items("any_of", node, notes)?.iter().map(|node| expectation(node, kind, frame, notes)).collect();
    list.into_iter().collect::<Option<_>>().map(Argument::Alternatives)
}

fn pointers(node: &Node, frame: &Frame<'_>, notes: &mut Notes) -> Option<Argument> {
    if node.entries().is_empty() {
        let problem = notes.error(
            node.at,
            "`json` takes a mapping of JSON pointers",
            format!("found {}", kind_of(node)),
        );
        problem.help("write `json: { /ociVersion: \"1.0.2\" }`");
        return None;
    }
    let mut pointers = Vec::new();
    for entry in node.entries() {
        if !entry.key.is_empty() && !entry.key.starts_with('/') {
            let problem = notes.error(entry.at, format!("`{}` is not a JSON pointer", entry.key), "");
            problem.help(format!("write `/{}` (RFC 6901)", entry.key.replace('.', "/")));
        }
        pointers.push(
            expectation(&entry.value, &Kind::Any, frame, notes).map(|inner| (entry.key.clone(), inner)),
        );
    }
    pointers.into_iter().collect::<Option<_>>().map(Argument::Pointers)
}

fn pattern(node: &Node, text: &str, regex: &str, notes: &mut Notes) -> Option<Argument> {
    if text.is_empty() || (regex.starts_with("(?s)^") && text.bytes().all(|byte| byte == b'*')) {
        return everything("the pattern", node, notes);
    }
    match RegexBuilder::new(regex).size_limit(LARGEST_REGEX).build() {
        Ok(regex) => Some(Argument::Pattern(Pattern { text: text.to_owned(), regex })),
        Err(error) => {
            let reason = error.to_string();
            // The regex crate draws the place over several lines; the last says what is wrong.
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            notes.error(node.at, "this pattern cannot be compiled", reason);
            None
        }
    }
}

/// A glob as a regular expression over the whole text.
fn glob(text: &str) -> String {
    let mut regex = String::from("(?s)^");
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => class(&mut characters, &mut regex),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex + "$"
}

/// `[abc]`, `[a-z]`, `[!abc]`; a bracket that is never closed stands for itself.
fn class(characters: &mut std::str::Chars<'_>, regex: &mut String) {
    let rest = characters.as_str();
    let Some((inside, after)) = rest.split_once(']').filter(|(inside, _)| !inside.is_empty()) else {
        return regex.push_str("\\[");
    };
    let (negated, members) = inside.strip_prefix('!').map_or(("", inside), |members| ("^", members));
    let members = members
        .replace('\\', "\\\\")
        .replace('[', "\\[")
        .replace('^', "\\^")
        .replace('&', "\\&")
        .replace('~', "\\~");
    regex.extend(["[", negated, &members, "]"]);
    *characters = after.chars();
}

fn version(node: &Node, text: &str, notes: &mut Notes) -> Option<Argument> {
    let comparison = Comparison::ALL.into_iter().find(|comparison| text.starts_with(comparison.sign()));
    let numbers = comparison.and_then(|comparison| {
        let rest = text[comparison.sign().len()..].trim();
        let whole = rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        leading_version(rest).filter(|_| whole).map(|numbers| Argument::Version(comparison, numbers))
    });
    if numbers.is_none() {
        let problem = notes.error(node.at, format!("`{text}` is not a comparison of versions"), "");
        problem.help("write an operator and a version: `\">= 5.6\"`");
    }
    numbers
}

fn views(node: &Node, frame: &Frame<'_>, notes: &mut Notes) -> Option<Argument> {
    let items = match &node.data {
        Data::List(_) => items("same_as", node, notes)?,
        _ => std::slice::from_ref(node),
    };
    let views: Vec<_> = items.iter().map(|node| frame.scope.other_view(node, frame, notes)).collect();
    views.into_iter().collect::<Option<_>>().map(Argument::Views)
}

fn refusal(node: &Node, text: &str, notes: &mut Notes) -> Option<Argument> {
    if text == "SIGSYS" {
        return Some(Argument::KilledBySeccomp);
    }
    let number = errno(node, text, notes)?;
    if !REFUSALS.contains(&text) {
        let problem = notes.error(node.at, format!("{text} is not a refusal"), "");
        problem.help(format!("a refusal is {} or SIGSYS; else write `fails: {text}`", REFUSALS.join(", ")));
        return None;
    }
    Some(Argument::Errno(number))
}

fn errno(node: &Node, text: &str, notes: &mut Notes) -> Option<i32> {
    let number = errno_named(text);
    if number.is_none() {
        let names: Vec<_> = (1..=133).map(crate::sys::errno_name).collect();
        let help = did_you_mean(text, names.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| "errno(3) has the names".to_owned());
        notes.error(node.at, format!("unknown errno `{text}`"), "").help(help);
    }
    number
}

/// A text that must be one.
pub(super) fn plain_text(node: &Node, notes: &mut Notes) -> Option<String> {
    match value(node, &Kind::Text, notes)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}
