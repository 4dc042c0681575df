//! Decodes a piece of a document into a type that derives `Deserialize`, and finds all that is wrong with it: what the type
//! refuses is reported, taken out, and the rest decoded again.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::problem::Notes;
use super::suggest::one_of;
use super::tree::{Data, Down, Node};

/// So many rounds at most; each takes out one node.
const ROUNDS: usize = 64;

/// Decodes a node. `what` names it (`a step`), `also` are keys that belong there besides those of the type, for "did you
/// mean". `None` if nothing could be made of it; where something could, problems may have been noted all the same.
pub(super) fn decode<T: DeserializeOwned>(
    node: &Node,
    what: &str,
    also: &[&str],
    notes: &mut Notes,
) -> Option<T> {
    let mut round = Round { tree: node.clone(), pruned: Vec::new(), what, also };
    for _ in 0..ROUNDS {
        match serde_path_to_error::deserialize::<_, T>(round.tree.to_json()) {
            Ok(value) => return Some(value),
            Err(error) => {
                let path = error.path().iter().filter_map(down).collect();
                round.refused(path, &error.inner().to_string(), notes)?;
            }
        }
    }
    None
}

struct Round<'a> {
    tree: Node,
    /// Paths of what was taken out: that it is missing then is no problem of its own.
    pruned: Vec<Vec<Down>>,
    what: &'a str,
    also: &'a [&'a str],
}

impl Round<'_> {
    /// Reports what was refused and takes it out; `None` if there is nothing to take out.
    fn refused(&mut self, path: Vec<Down>, message: &str, notes: &mut Notes) -> Option<()> {
        if let Some(rest) = message.strip_prefix("unknown field `") {
            self.unknown_field(path, rest, notes)
        } else if let Some(rest) = message.strip_prefix("missing field `") {
            self.missing_field(path, rest, notes)
        } else {
            self.wrong_value(path, message, notes)
        }
    }

    fn unknown_field(&mut self, mut path: Vec<Down>, rest: &str, notes: &mut Notes) -> Option<()> {
        let (name, expected) = rest.split_once('`')?;
        if path.last() == Some(&Down::Key(name.to_owned())) {
            path.pop();
        }
        let at = self.tree.down(&path)?.entry(name)?.at;
        let mut known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let what = match path.last() {
            None => {
                known.extend(self.also);
                self.what.to_owned()
            }
            Some(_) => holder(&path),
        };
        notes
            .error(at, format!("unknown key `{name}`"), format!("not a key of {what}"))
            .help(one_of(name, known));
        path.push(Down::Key(name.to_owned()));
        self.prune(path)
    }

    fn missing_field(&mut self, mut path: Vec<Down>, rest: &str, notes: &mut Notes) -> Option<()> {
        let name = rest.trim_end_matches('`');
        let mut missing = path.clone();
        missing.push(Down::Key(name.to_owned()));
        if !self.pruned.contains(&missing) {
            let node = self.tree.down(&path)?;
            let what = if path.is_empty() { self.what.to_owned() } else { holder(&path) };
            notes.error(node.at, format!("{what} lacks `{name}`"), "").help(format!("add `{name}: …`"));
        }
        if path.is_empty() {
            return None;
        }
        self.prune(std::mem::take(&mut path))
    }

    fn wrong_value(&mut self, mut path: Vec<Down>, message: &str, notes: &mut Notes) -> Option<()> {
        // The path of an enum's variant goes one step further than the tree.
        while self.tree.down(&path).is_none() {
            path.pop()?;
        }
        let node = self.tree.down(&path)?;
        if !node.is_wrong() {
            report(node, &path, message, notes);
        }
        self.prune(path)
    }

    fn prune(&mut self, path: Vec<Down>) -> Option<()> {
        let there = self.tree.prune(&path);
        self.pruned.push(path);
        there.then_some(())
    }
}

fn report(node: &Node, path: &[Down], message: &str, notes: &mut Notes) {
    let place = place(path);
    if let Some((found, expected)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`'))
    {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        notes.error(node.at, format!("unknown word `{found}`{place}"), "").help(one_of(found, known));
    } else if let Some(expected) = expected(message) {
        let found = super::tree::kind_of(node);
        let problem = notes.error(
            node.at,
            format!("wrong value{place}"),
            format!("expected {expected}, found {found}"),
        );
        match (expected, &node.data) {
            ("a text", Data::Scalar(value)) => {
                problem.help(format!("write it in quotes: `\"{value}\"`"));
            }
            ("a whole number", Data::Scalar(Value::String(text))) if text.parse::<u64>().is_ok() => {
                problem.help(format!("write it without quotes: `{text}`"));
            }
            ("a list", Data::Scalar(value)) => {
                problem.help(format!("write a list: `[{value}]`"));
            }
            _ => {}
        }
    } else {
        match message.split_once(": ") {
            Some((message, help)) => drop(notes.error(node.at, message, "").help(help)),
            None => drop(notes.error(node.at, message, "")),
        }
    }
}

/// What a type expected, in the words of a spec's author.
fn expected(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (_, expected) = rest.rsplit_once(", expected ")?;
    Some(match expected {
        "a string" | "string" => "a text",
        "a boolean" => "`true` or `false`",
        "u8" | "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "enum" | "string or map" | "string only" => "a word",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    })
}

fn place(path: &[Down]) -> String {
    let key = path.iter().rev().find_map(|step| match step {
        Down::Key(key) => Some(key),
        Down::Index(_) => None,
    });
    key.map(|key| format!(" of `{key}`")).unwrap_or_default()
}

fn holder(path: &[Down]) -> String {
    let name = path.iter().rev().find_map(|step| match step {
        Down::Key(key) => Some(key),
        Down::Index(_) => None,
    });
    name.map_or_else(|| "it".to_owned(), |name| format!("`{name}`"))
}

fn down(segment: &Segment) -> Option<Down> {
    match segment {
        Segment::Seq { index } => Some(Down::Index(*index)),
        Segment::Map { key } => Some(Down::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}
