//! The documents of a file: `serde_yaml`'s values with the outline's places.

use serde::Deserialize;
use serde_json::Value as Json;
use serde_yaml::Value;

use super::outline::{Shape, Sketch, outline};
use super::problem::Notes;
use super::tree::{Data, Entry, Node};

/// The documents of the file; `None` if it is not one that can be read, for reasons that were noted.
pub(super) fn documents(notes: &mut Notes) -> Option<Vec<Node>> {
    let sketches = outline(notes)?;
    if sketches.is_empty() {
        let help = format!("write a {}", notes.holds);
        notes.error(crate::expect::Span::start(), "the file is empty", "").help(help);
        return None;
    }
    let mut items = Vec::new();
    let source = std::sync::Arc::clone(&notes.source);
    let mut values = serde_yaml::Deserializer::from_str(&source.text).map(Value::deserialize);
    for sketch in &sketches {
        match values.next() {
            Some(Ok(value)) => items.push(join(sketch, &value, notes)?),
            Some(Err(error)) => return unreadable(sketch, &error.to_string(), notes),
            None => return unreadable(sketch, "there is no such document", notes),
        }
    }
    Some(items)
}

/// Puts a value and its outline together. They are the work of two parsers: where these read a file differently, so may a
/// third, and the author must write it more plainly.
fn join(sketch: &Sketch, value: &Value, notes: &mut Notes) -> Option<Node> {
    let data = match (&sketch.shape, value) {
        (Shape::Scalar(_, true), _) => Data::Wrong,
        (Shape::Scalar(..), scalar) => Data::Scalar(json_scalar(scalar).or_else(|| differ(sketch, notes))?),
        (Shape::List(sketches), Value::Sequence(values)) if sketches.len() == values.len() => {
            let items = sketches.iter().zip(values).map(|(sketch, value)| join(sketch, value, notes));
            Data::List(items.collect::<Option<_>>()?)
        }
        (Shape::Map(entries), Value::Mapping(values)) if entries.len() == values.len() => {
            let entries = entries.iter().zip(values.values()).map(|((key, at, sketch), value)| {
                Some(Entry { key: key.clone(), at: *at, value: join(sketch, value, notes)? })
            });
            Data::Map(entries.collect::<Option<_>>()?)
        }
        _ => return differ(sketch, notes),
    };
    Some(Node { at: sketch.at, data })
}

fn json_scalar(value: &Value) -> Option<Json> {
    match value {
        Value::Bool(value) => Some(Json::from(*value)),
        Value::String(text) => Some(Json::from(text.as_str())),
        Value::Number(number) => number.as_i64().map(Json::from).or_else(|| number.as_u64().map(Json::from)),
        _ => None,
    }
}

fn differ<T>(sketch: &Sketch, notes: &mut Notes) -> Option<T> {
    let problem = notes.error(sketch.at, "two YAML readers take this for different things", "");
    problem.help("write it in quotes, or on lines of its own");
    None
}

fn unreadable<T>(sketch: &Sketch, reason: &str, notes: &mut Notes) -> Option<T> {
    notes.error(sketch.at, "this is not YAML", reason);
    None
}
