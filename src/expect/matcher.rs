//! One matcher of the language.

use crate::fact::{Kind, Value};

use super::check::{Check, Scene};
use super::expectation::Matching;
use super::table::TABLE;

/// One matcher of the language: the entry that everything about it is generated from.
#[derive(Debug)]
pub struct Matcher {
    /// Its word: `at_least`.
    pub name: &'static str,
    /// The kinds of value it can be held against.
    pub applies: fn(&Kind) -> bool,
    /// How its argument is written.
    pub shape: Shape,
    /// Holds it against a value of this kind.
    pub judge: fn(&Matching, &Kind, &Value, &Scene<'_>) -> Check,
    /// One sentence.
    pub brief: &'static str,
    /// A longer text.
    pub long: &'static str,
    /// An example, as YAML: `groups: { each: { less_than: 1000 } }`.
    pub example: &'static str,
    /// An observation of which the example holds.
    pub holds: Sample,
    /// An observation of which it does not.
    pub fails: Sample,
}

/// An observation to try an example on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The fact's value, as JSON.
    pub value: &'static str,
    /// Its value from the viewpoint that the example compares with, as JSON; empty where it compares with none.
    pub other: &'static str,
}

/// How a matcher's argument is written in a spec, and so how it is decoded and what the schema says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The word alone, or `true`.
    Nothing,
    /// One value of the fact's kind.
    Value,
    /// A list of such values; never empty.
    Values,
    /// A pair of such values, the smaller first.
    Range,
    /// One value of the kind of the list's elements; of a text, a part of it.
    Element,
    /// A list of such values; never empty.
    Elements,
    /// A list of such values, or of a record or a map a mapping of expectations; never empty.
    Exactly,
    /// An expectation of a field, whichever.
    NestedOthers,
    /// A text.
    Text,
    /// A regular expression in the syntax of the regex crate.
    Regex,
    /// A pattern with `*`, `?` and `[…]`.
    Glob,
    /// An expectation of the same value.
    Nested,
    /// An expectation of an element.
    NestedElement,
    /// An expectation of a number.
    NestedCount,
    /// An expectation of a text.
    NestedText,
    /// A list of expectations of the same value; never empty.
    Alternatives,
    /// A mapping from JSON pointers to expectations.
    Pointers,
    /// An operator and a dotted version: `">= 5.6"`.
    Version,
    /// A viewpoint, or a list of them.
    Views,
    /// The word alone, or the errno of a refusal, or SIGSYS.
    Refusal,
    /// The name of an errno.
    Errno,
}

/// The matcher of this name.
pub fn find(name: &str) -> Option<&'static Matcher> {
    TABLE.iter().find(|matcher| matcher.name == name)
}
