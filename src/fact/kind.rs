//! The kinds of values that facts have: they decide which matchers apply, and how a spec's scalar is read.

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Text. A bare expectation means exactly this text.
    Text,
    /// A word of a closed set.
    Word(&'static [&'static str]),
    /// Whose a namespace is: `inherited`, `new`, or `joined NAME`.
    Origin,
    /// A number of bytes or of things, or `unlimited`. Specs may write `64MiB`.
    Limit,
    /// A permission mode or another octal number, kept as text: `"0755"`.
    Mode,
    /// A list in which order matters.
    List(&'static Kind),
    /// A list in which it does not: a bare list means exactly these, in any order.
    Set(&'static Kind),
    /// Named values of one kind, the names being the observed thing's own.
    Map(&'static Kind),
    /// Named values, the names being the language's.
    Record(&'static [Field]),
    /// What is found at a path: a record that also takes the words `masked`, `absent`, `read_only`, `readable`, `writable`.
    Path(&'static [Field]),
    /// How an attempt ended: takes `allowed`, `denied`, `fails`.
    Attempt,
    /// Any JSON value: what a JSON pointer finds.
    Any,
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// One sentence.
    pub brief: &'static str,
}
