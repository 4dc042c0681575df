//! A document as a tree whose every key and value knows its place.

use serde_json::Value;

use crate::expect::Span;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Span,
    pub(super) data: Data,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    /// A text, a number or a boolean.
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was reported already, and is passed over in silence.
    Wrong,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Span,
    pub(super) value: Node,
}

/// A step from a node down to one that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Down {
    Key(String),
    Index(usize),
}

impl Node {
    /// The entries of a mapping; none of anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of this key.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Its text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether it was reported already.
    pub(super) const fn is_wrong(&self) -> bool {
        matches!(self.data, Data::Wrong)
    }

    /// Whether something in it was reported already.
    pub(super) fn has_wrong(&self) -> bool {
        match &self.data {
            Data::Scalar(_) => false,
            Data::List(items) => items.iter().any(Self::has_wrong),
            Data::Map(entries) => entries.iter().any(|entry| entry.value.has_wrong()),
            Data::Wrong => true,
        }
    }

    /// The same without places. What was reported already is null, which no decoder of a spec takes.
    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
            Data::Wrong => Value::Null,
        }
    }

    /// The node at the end of these steps.
    pub(super) fn down(&self, path: &[Down]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match (step, &node.data) {
            (Down::Key(key), Data::Map(_)) => node.entry(key).map(|entry| &entry.value),
            (Down::Index(index), Data::List(items)) => items.get(*index),
            _ => None,
        })
    }

    /// Takes out the node at the end of these steps; says whether there was one.
    pub(super) fn prune(&mut self, path: &[Down]) -> bool {
        let Some((last, path)) = path.split_last() else { return false };
        let Some(parent) = self.down_mut(path) else { return false };
        match (last, &mut parent.data) {
            (Down::Key(key), Data::Map(entries)) => {
                let before = entries.len();
                entries.retain(|entry| entry.key != *key);
                entries.len() < before
            }
            (Down::Index(index), Data::List(items)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    fn down_mut(&mut self, path: &[Down]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, step| match (step, &mut node.data) {
            (Down::Key(key), Data::Map(entries)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)
            }
            (Down::Index(index), Data::List(items)) => items.get_mut(*index),
            _ => None,
        })
    }
}

/// What a value is, in words.
pub(super) fn kind_of(node: &Node) -> String {
    match &node.data {
        Data::Scalar(Value::String(text)) => format!("the text `{text}`"),
        Data::Scalar(Value::Number(number)) => format!("the number {number}"),
        Data::Scalar(value) => format!("`{value}`"),
        Data::List(_) => "a list".to_owned(),
        Data::Map(_) => "a mapping".to_owned(),
        Data::Wrong => "nothing".to_owned(),
    }
}
