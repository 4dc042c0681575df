//! Holds an expectation against a value.

use crate::fact::{Field, Kind, Value};

use super::check::{Check, Miss, Scene};
use super::describe::{describe, show};
use super::expectation::{Expectation, Span, Term};

/// Fields that only some paths have: a symbolic link its target, a device its number.
const OF_SOME_PATHS: [&str; 2] = ["target", "device"];

/// Holds an expectation against a value of this kind: all its terms must hold.
pub fn evaluate(expectation: &Expectation, kind: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let named: Vec<&str> = expectation.terms.iter().filter_map(Term::field).collect();
    Check::all(expectation.terms.iter().map(|term| match term {
        Term::Match(matching) => {
            (matching.matcher.judge)(matching, kind, value, &Scene { named: &named, ..*scene })
        }
        Term::Field { name, at, expectation } => field(name, *at, expectation, kind, value, scene),
    }))
}

fn field(
    name: &str,
    at: Span,
    expectation: &Expectation,
    kind: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    let Some(inner) = value.get(name) else { return lacking(name, at, expectation, kind, value) };
    let path: Vec<&str> = scene.path.iter().copied().chain([name]).collect();
    evaluate(expectation, &kind.of_field(name), inner, &Scene { path: &path, ..*scene }).within(name)
}

/// The value has no such field. A record's fields are the language's, so one that is not there was not observed. A map's are
/// the observed thing's own; and where there is nothing at a path, it has no fields.
fn lacking(name: &str, at: Span, expectation: &Expectation, kind: &Kind, value: &Value) -> Check {
    let there = value.get("exists").and_then(Value::as_bool) == Some(true);
    let observable = match kind {
        Kind::Record(_) => false,
        Kind::Path(_) => !there || OF_SOME_PATHS.contains(&name),
        _ => true,
    };
    if observable {
        let label = format!("there is no `{name}` in {}", show(value));
        Check::Fails(vec![Miss::labelled(at, label, describe(expectation), None)]).within(name)
    } else {
        let label = format!("`{name}` was not observed");
        let expected = format!("`{name}` {}", describe(expectation));
        Check::Broken(vec![Miss::labelled(at, label, expected, None)])
    }
}

impl Kind {
    /// The kind of the elements of a list, a set or a map.
    pub(crate) fn of_elements(&self) -> Option<Self> {
        match self {
            Self::List(kind) | Self::Set(kind) | Self::Map(kind) => Some(**kind),
            Self::Any => Some(Self::Any),
            _ => None,
        }
    }

    /// The kind of any field of a record or a map; anything where they differ.
    pub(crate) fn of_others(&self) -> Self {
        match self.fields() {
            [first, rest @ ..] if rest.iter().all(|field| field.kind == first.kind) => first.kind,
            _ => self.of_elements().unwrap_or(Self::Any),
        }
    }

    /// Whether it is a record of records of records, whose differences are told as one diff.
    pub(crate) fn is_deep(&self) -> bool {
        let records = |kind: &Self| kind.fields().iter().any(|field| !field.kind.fields().is_empty());
        self.fields().iter().any(|field| records(&field.kind))
    }

    /// The kind of a field of a record or a map; anything where it has none.
    pub(crate) fn of_field(&self, name: &str) -> Self {
        match self {
            Self::Map(kind) => **kind,
            _ => self.fields().iter().find(|field| field.name == name).map_or(Self::Any, |field| field.kind),
        }
    }

    /// The fields of a record.
    pub(crate) const fn fields(&self) -> &'static [Field] {
        match self {
            Self::Record(fields) | Self::Path(fields) => fields,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn field(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, brief: "" }
    }

    const ALIKE: Kind = Kind::Record(&[field("a", Kind::Int), field("b", Kind::Int)]);
    const MIXED: Kind = Kind::Record(&[field("a", Kind::Int), field("b", Kind::Text)]);

    #[test]
    fn what_is_in_a_value_has_the_kind_that_all_of_it_has() {
        assert_eq!(Kind::List(&Kind::Int).of_elements(), Some(Kind::Int));
        assert_eq!(Kind::Any.of_elements(), Some(Kind::Any));
        assert_eq!(MIXED.of_elements(), None);
        for (kind, others) in [(ALIKE, Kind::Int), (MIXED, Kind::Any), (Kind::Map(&Kind::Text), Kind::Text)] {
            assert_eq!(kind.of_others(), others, "{kind:?}");
        }
        for (kind, a) in [(MIXED, Kind::Int), (Kind::Map(&Kind::Text), Kind::Text), (Kind::Any, Kind::Any)] {
            assert_eq!(kind.of_field("a"), a, "{kind:?}");
        }
    }

    #[test]
    fn records_of_records_of_records_are_deep() {
        const FLAT: Kind = Kind::Record(&[field("alike", ALIKE)]);
        const DEEP: Kind = Kind::Record(&[field("flat", FLAT)]);
        assert_eq!([ALIKE, FLAT, DEEP].map(|kind| kind.is_deep()), [false, false, true]);
    }
}
