//! Scalars and lists of a spec as values of a fact's kind. Nothing is coerced.

use serde_json::Value;

use crate::expect::Span;
use crate::fact::Kind;

use super::problem::Notes;
use super::scalar::Size;
use super::suggest::{one_of, signal};
use super::tree::{Data, Entry, Node, kind_of};

/// A node as a value of this kind; `None` with a note if it is none.
pub(super) fn value(node: &Node, kind: &Kind, notes: &mut Notes) -> Option<Value> {
    match (kind, &node.data) {
        (_, Data::Wrong) => None,
        (Kind::List(inner) | Kind::Set(inner), Data::List(items)) => {
            list(items, inner, notes).map(Value::Array)
        }
        (Kind::Any, Data::List(items)) => list(items, kind, notes).map(Value::Array),
        (Kind::Record(_) | Kind::Map(_) | Kind::Any, Data::Map(entries)) => record(entries, kind, notes),
        (_, Data::Scalar(scalar)) => scalar_of(node.at, scalar, kind, notes),
        _ => wrong(node, kind, notes),
    }
}

/// The values of a list; empty with a note where the list is.
pub(super) fn list(items: &[Node], kind: &Kind, notes: &mut Notes) -> Option<Vec<Value>> {
    // All are decoded before one that is wrong ends it, so that all that are wrong are noted.
    let values: Vec<_> = items.iter().map(|node| value(node, kind, notes)).collect();
    values.into_iter().collect()
}

/// A record as a value, as it stands in a list: all its fields must be the same.
fn record(entries: &[Entry], kind: &Kind, notes: &mut Notes) -> Option<Value> {
    let mut fields = Vec::new();
    for entry in entries {
        let known =
            !matches!(kind, Kind::Record(_)) || kind.fields().iter().any(|field| field.name == entry.key);
        if !known {
            let names: Vec<_> = kind.fields().iter().map(|field| field.name).collect();
            let problem = notes.error(entry.at, format!("unknown field `{}`", entry.key), "");
            problem.help(one_of(&entry.key, names));
        }
        let value = value(&entry.value, &kind.of_field(&entry.key), notes);
        fields.push(value.map(|value| (entry.key.clone(), value)));
    }
    fields.into_iter().collect()
}

fn scalar_of(at: Span, scalar: &Value, kind: &Kind, notes: &mut Notes) -> Option<Value> {
    let node = || Node { at, data: Data::Scalar(scalar.clone()) };
    match (kind, scalar) {
        (Kind::Any, _)
        | (Kind::Bool, Value::Bool(_))
        | (Kind::Int, Value::Number(_))
        | (Kind::Text, Value::String(_)) => Some(scalar.clone()),
        (Kind::Limit, Value::Number(number)) if number.is_u64() => Some(scalar.clone()),
        (Kind::Limit, Value::String(text)) => limit(at, text, notes),
        (Kind::Mode, Value::String(text)) => mode(at, text, notes),
        (Kind::Word(words), Value::String(text)) => word(at, text, words, notes),
        (Kind::Origin, Value::String(text)) => origin(at, text, notes),
        _ => wrong(&node(), kind, notes),
    }
}

fn limit(at: Span, text: &str, notes: &mut Notes) -> Option<Value> {
    if text == "unlimited" {
        return Some(Value::from(text));
    }
    let size = text.parse::<Size>().ok().map(|Size(bytes)| Value::from(bytes));
    if size.is_none() {
        let problem = notes.error(at, format!("`{text}` is not a limit"), "");
        problem.help("write a number, a size such as `64MiB`, or `unlimited`");
    }
    size
}

fn mode(at: Span, text: &str, notes: &mut Notes) -> Option<Value> {
    // 07777 is the largest mode: chmod(2).
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Some(Value::from(text)),
        _ => {
            let problem = notes.error(at, format!("`{text}` is not a mode"), "expected an octal number");
            problem.help("write it as `\"0755\"`");
            None
        }
    }
}

fn word(at: Span, text: &str, words: &[&'static str], notes: &mut Notes) -> Option<Value> {
    if words.contains(&text) {
        return Some(Value::from(text));
    }
    let signals = words.contains(&"SIGKILL");
    let help = if signals { signal(text) } else { one_of(text, words.iter().copied()) };
    notes.error(at, format!("unknown word `{text}`"), "").help(help);
    None
}

fn origin(at: Span, text: &str, notes: &mut Notes) -> Option<Value> {
    let joined = text.strip_prefix("joined ").is_some_and(|name| !name.trim().is_empty());
    if joined || matches!(text, "inherited" | "new") {
        return Some(Value::from(text));
    }
    notes
        .error(at, format!("unknown word `{text}`"), "")
        .help("write `inherited`, `new`, `joined first`, or `joined` and the name of a sandbox");
    None
}

fn wrong<T>(node: &Node, kind: &Kind, notes: &mut Notes) -> Option<T> {
    let message = "wrong type of value";
    let label = format!("expected {}, found {}", in_words(kind), kind_of(node));
    let problem = notes.error(node.at, message, label);
    if let Some(help) = mend(node, kind) {
        problem.help(help);
    }
    None
}

/// How a value of the wrong type is mended, where that can be told.
pub(super) fn mend(node: &Node, kind: &Kind) -> Option<String> {
    match (kind, &node.data) {
        (
            Kind::Text | Kind::Mode | Kind::Word(_),
            Data::Scalar(value @ (Value::Number(_) | Value::Bool(_))),
        ) => Some(format!("write it in quotes: `\"{value}\"`")),
        (Kind::Int | Kind::Bool, Data::Scalar(Value::String(text))) => {
            let fits = match kind {
                Kind::Int => text.parse::<i64>().is_ok(),
                _ => matches!(text.as_str(), "true" | "false"),
            };
            fits.then(|| format!("write it without quotes: `{text}`"))
        }
        (Kind::List(_) | Kind::Set(_), Data::Scalar(value)) => {
            Some(format!("write a list, `[{value}]`, or `{{ contains: {value} }}`"))
        }
        (Kind::Attempt, _) => Some("write `denied`, `allowed` or `{ fails: ENOENT }`".to_owned()),
        (Kind::Path(_), _) => {
            Some("write `masked`, `read_only`, `absent`, `readable`, `writable`, or its fields".to_owned())
        }
        (Kind::Record(fields), _) => {
            let fields: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
            Some(format!("write its fields: {}", fields.join(", ")))
        }
        (Kind::Map(_), _) => Some("write `{ KEY: expectation }`".to_owned()),
        _ => None,
    }
}

/// A kind in words.
pub(super) fn in_words(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "`true` or `false`",
        Kind::Int => "a whole number",
        Kind::Text => "a text",
        Kind::Word(_) => "a word",
        Kind::Origin => "`inherited`, `new` or `joined NAME`",
        Kind::Limit => "a number, a size or `unlimited`",
        Kind::Mode => "a mode in quotes",
        Kind::List(_) => "a list",
        Kind::Set(_) => "a list (in any order)",
        Kind::Map(_) => "a mapping",
        Kind::Record(_) => "a mapping of fields",
        Kind::Path(_) => "a state of a path",
        Kind::Attempt => "the outcome of an attempt",
        Kind::Any => "a value",
    }
}
