//! The schemas of expectations: one definition for each kind of value that a fact has.

use serde_json::{Map, Value, json};

use crate::expect::{Matcher, REFUSALS, Shape, TABLE};
use crate::fact::Kind;
use crate::sys::errno_name;

use super::schema::{described, reference};

/// The definitions of kinds, each under a name of its own.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    names: Vec<(Kind, String)>,
    definitions: Map<String, Value>,
}

impl Kinds {
    /// A reference to the schema of expectations of this kind.
    pub(super) fn reference(&mut self, kind: &Kind) -> Value {
        if let Some((_, name)) = self.names.iter().find(|(known, _)| known == kind) {
            return reference(name);
        }
        let name = format!("{}{}", stem(kind), self.names.len());
        // The name is known before the schema is made: `not` takes an expectation of the same kind.
        self.names.push((*kind, name.clone()));
        let schema = self.expectation(kind);
        self.definitions.insert(name.clone(), schema);
        reference(&name)
    }

    /// All of them.
    pub(super) fn definitions(self) -> Map<String, Value> {
        self.definitions
    }

    fn expectation(&mut self, kind: &Kind) -> Value {
        let mut choices: Vec<Value> = Vec::new();
        if !matches!(kind, Kind::Map(_) | Kind::Record(_) | Kind::Path(_) | Kind::Attempt) {
            choices.push(bare(kind));
        }
        let words = bare_words(kind);
        if !words.is_empty() {
            choices.push(json!({ "enum": words }));
        }
        choices.push(self.mapping(kind));
        choices.push(reference("Variable"));
        json!({ "anyOf": choices })
    }

    fn mapping(&mut self, kind: &Kind) -> Value {
        let mut properties = Map::new();
        for matcher in TABLE.iter().filter(|matcher| (matcher.applies)(kind)) {
            let description = format!("{} {}", matcher.brief, matcher.long);
            properties
                .insert(matcher.name.to_owned(), described(&description, &self.argument(matcher, kind)));
        }
        for field in kind.fields() {
            let schema = self.reference(&field.kind);
            properties.insert(field.name.to_owned(), described(field.brief, &schema));
        }
        let others = match kind {
            Kind::Map(inner) => self.reference(inner),
            _ => Value::Bool(false),
        };
        json!({ "type": "object", "minProperties": 1, "properties": properties, "additionalProperties": others })
    }

    fn argument(&mut self, matcher: &Matcher, kind: &Kind) -> Value {
        let element = kind.of_elements().unwrap_or(*kind);
        match matcher.shape {
            Shape::Nothing => json!({ "type": "boolean" }),
            Shape::Value => or_variable(&bare(kind)),
            Shape::Values => list(&bare(kind)),
            Shape::Range => {
                json!({ "type": "array", "minItems": 2, "maxItems": 2, "items": or_variable(&bare(kind)) })
            }
            Shape::Element => or_variable(&bare(&element)),
            Shape::Exactly if matches!(kind, Kind::Record(_) | Kind::Map(_)) => self.reference(kind),
            Shape::Elements | Shape::Exactly => list(&bare(&element)),
            Shape::NestedOthers => self.reference(&kind.of_others()),
            Shape::Text | Shape::Glob => json!({ "type": "string" }),
            Shape::Regex => json!({ "type": "string", "format": "regex" }),
            Shape::Nested => self.reference(kind),
            Shape::NestedElement => self.reference(&element),
            Shape::NestedCount => self.reference(&Kind::Int),
            Shape::NestedText => self.reference(&Kind::Text),
            Shape::Alternatives => json!({ "type": "array", "minItems": 1, "items": self.reference(kind) }),
            Shape::Pointers => self.pointers(),
            Shape::Version => json!({ "type": "string", "pattern": "^(=|>=|<=|>|<) *[0-9.]+$|^\\$\\{" }),
            Shape::Views => views(),
            Shape::Refusal => {
                json!({ "anyOf": [{ "const": true }, { "enum": refusals() }, reference("Variable")] })
            }
            Shape::Errno => or_variable(&json!({ "enum": errnos() })),
        }
    }

    fn pointers(&mut self) -> Value {
        let names = json!({ "pattern": "^(/|$|\\$\\{)" });
        let any = self.reference(&Kind::Any);
        json!({ "type": "object", "minProperties": 1, "propertyNames": names, "additionalProperties": any })
    }
}

/// The schema of a bare value.
fn bare(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int => json!({ "type": "integer" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Origin => json!({ "type": "string", "pattern": "^(inherited|new|joined .+|\\$\\{.*)$" }),
        Kind::Limit => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^([0-9]+(KiB|MiB|GiB)?|unlimited)$" }
        ] }),
        Kind::Mode => json!({ "type": "string", "pattern": "^[0-7]{1,5}$" }),
        Kind::List(inner) | Kind::Set(inner) => list(&bare(inner)),
        Kind::Map(_) | Kind::Record(_) | Kind::Path(_) | Kind::Attempt => json!({ "type": "object" }),
        Kind::Any => json!({ "type": ["boolean", "integer", "string", "array"] }),
    }
}

/// Matchers that stand alone as a word, where a text could not be meant.
fn bare_words(kind: &Kind) -> Vec<&'static str> {
    if matches!(kind, Kind::Text | Kind::Any | Kind::Mode | Kind::Word(_)) {
        return Vec::new();
    }
    let alone = |matcher: &&Matcher| matches!(matcher.shape, Shape::Nothing | Shape::Refusal);
    TABLE.iter().filter(|matcher| (matcher.applies)(kind)).filter(alone).map(|matcher| matcher.name).collect()
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "minItems": 1, "items": or_variable(items) })
}

fn or_variable(schema: &Value) -> Value {
    json!({ "anyOf": [schema, reference("Variable")] })
}

fn views() -> Value {
    let view = json!({ "type": "string", "examples": ["host", "outside", "inside"] });
    json!({ "anyOf": [view, { "type": "array", "minItems": 1, "items": view }] })
}

fn refusals() -> Vec<&'static str> {
    REFUSALS.into_iter().chain(["SIGSYS"]).collect()
}

/// All errnos that have a name: Linux numbers them from 1 to 133.
fn errnos() -> Vec<String> {
    (1..=133).map(errno_name).filter(|name| name.starts_with('E')).collect()
}

const fn stem(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "Bool",
        Kind::Int => "Int",
        Kind::Text => "Text",
        Kind::Word(_) => "Word",
        Kind::Origin => "Origin",
        Kind::Limit => "Limit",
        Kind::Mode => "Mode",
        Kind::List(_) => "List",
        Kind::Set(_) => "Set",
        Kind::Map(_) => "Map",
        Kind::Record(_) => "Record",
        Kind::Path(_) => "Path",
        Kind::Attempt => "Attempt",
        Kind::Any => "Any",
    }
}
