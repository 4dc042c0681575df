//! The JSON schema of specs, from the types and tables that decode them: what an editor completes and checks.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::fact::{ATTEMPTS, Fact, Kind, TABLE, Vantage};

use super::head::{BlockHead, ClaimHead, ScenarioHead, StepHead, UseHead};
use super::schema_kinds::Kinds;
use super::scope::vantage_word;
use super::steps::{EXIT, OUTPUT, SIGNAL};

/// The JSON schema of a spec, draft 7, which is what editors' YAML servers know best.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    generator.subschema_for::<ScenarioHead>();
    generator.subschema_for::<ClaimHead>();
    generator.subschema_for::<StepHead>();
    generator.subschema_for::<BlockHead>();
    generator.subschema_for::<UseHead>();
    let mut definitions = generator.take_definitions(true);
    definitions.values_mut().for_each(with_variables);
    let scenario = definitions.remove("Scenario").unwrap_or_default();
    let (claim, step) = (taken(&mut definitions, "Claim"), taken(&mut definitions, "Step"));
    let mut kinds = Kinds::default();
    definitions.extend(by_hand(&claim, &step, &mut kinds));
    definitions.extend(kinds.definitions());
    definitions.sort_keys();
    root(scenario, definitions)
}

/// A definition's JSON pointer.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

/// A definition with a description of its own, which beside a plain `$ref` would not count in draft 7.
pub(super) fn described(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "allOf": [schema] })
}

fn root(scenario: Value, definitions: Map<String, Value>) -> Value {
    let mut root = Map::new();
    root.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    root.insert("title".to_owned(), "A spec of airtight".into());
    if let Value::Object(scenario) = scenario {
        root.extend(scenario);
    }
    // A document either is a scenario, or only defines blocks for others.
    root.remove("required");
    root.insert("anyOf".to_owned(), json!([{ "required": ["scenario"] }, { "required": ["define"] }]));
    root.insert("definitions".to_owned(), Value::Object(definitions));
    Value::Object(root)
}

fn taken(definitions: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match definitions.remove(name).and_then(|mut schema| schema.get_mut("properties").map(Value::take)) {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    }
}

/// The parts that are decoded by hand.
fn by_hand(claim: &Map<String, Value>, step: &Map<String, Value>, kinds: &mut Kinds) -> Map<String, Value> {
    let row = json!({ "type": "object", "minProperties": 1 });
    let grid = json!({ "type": "object", "minProperties": 1, "additionalProperties": { "type": "array", "minItems": 1 } });
    let parts = [
        ("Variable", json!({ "type": "string", "pattern": "^\\$\\{[^${}]+\\}$" })),
        ("Row", row),
        ("Rows", json!({ "anyOf": [grid, { "type": "array", "minItems": 1, "items": reference("Row") }] })),
        ("Claims", mapping_of("Claim")),
        ("Define", mapping_of("Block")),
        ("Uses", json!({ "type": "array", "minItems": 1, "items": reference("Use") })),
        ("Steps", json!({ "type": "array", "minItems": 1, "items": reference("Step") })),
        ("Claim", with_viewpoints(&claim.iter().chain(step).map(owned).collect())),
        ("Step", with_viewpoints(step)),
        ("Viewpoints", with_viewpoints(&Map::new())),
        ("Exit", kinds.reference(&EXIT)),
        ("Signal", kinds.reference(&SIGNAL)),
        ("Output", kinds.reference(&OUTPUT)),
        ("Inside", facts(Vantage::Inside, kinds)),
        ("Outside", facts(Vantage::Outside, kinds)),
        ("Host", facts(Vantage::Host, kinds)),
    ];
    let mut parts: Map<String, Value> =
        parts.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    parts.extend(TABLE.iter().map(|fact| (fact_definition(fact), fact_schema(fact, kinds))));
    parts
}

fn owned((name, schema): (&String, &Value)) -> (String, Value) {
    (name.clone(), schema.clone())
}

fn mapping_of(name: &str) -> Value {
    json!({ "type": "object", "minProperties": 1, "additionalProperties": reference(name) })
}

/// An object of these properties and of viewpoints. Any other key can be the name of a sandbox.
fn with_viewpoints(properties: &Map<String, Value>) -> Value {
    let mut properties = properties.clone();
    let views = [
        ("inside", "Inside", "What the sandbox's process sees of itself."),
        ("outside", "Outside", "What the host sees of that process."),
        ("host", "Host", "What the runner sees of itself."),
    ];
    for (word, name, description) in views {
        properties.insert(word.to_owned(), described(description, &reference(name)));
    }
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": properties,
        "patternProperties": { "^outside .": reference("Outside") },
        "additionalProperties": reference("Inside"),
    })
}

/// The facts that can be seen from a viewpoint.
fn facts(from: Vantage, kinds: &mut Kinds) -> Value {
    let seen = TABLE.iter().filter(|fact| fact.views.contains(&from));
    let mut properties: Map<String, Value> =
        seen.map(|fact| (fact.name.to_owned(), reference(&fact_definition(fact)))).collect();
    if from == Vantage::Inside {
        properties.insert("attempts".to_owned(), attempts(kinds));
    }
    json!({
        "type": "object",
        "description": format!("Facts seen {}.", vantage_word(from)),
        "minProperties": 1,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A fact is seen from several viewpoints, but defined once.
fn fact_definition(fact: &Fact) -> String {
    format!("fact.{}", fact.name)
}

fn fact_schema(fact: &Fact, kinds: &mut Kinds) -> Value {
    let expectation = kinds.reference(&fact.kind);
    let schema = match fact.argument {
        None => expectation,
        Some("PATH") => with_arguments(&expectation, Some("^(/|\\$\\{)")),
        Some(_) => with_arguments(&expectation, None),
    };
    described(&format!("{}\n\n{}\n\n    {}", fact.brief, fact.long, fact.example), &schema)
}

fn attempts(kinds: &mut Kinds) -> Value {
    let verbs = ATTEMPTS.iter().map(|attempt| {
        let description = format!("{}\n\n{}\n\n    {}", attempt.brief, attempt.long, attempt.example);
        let schema = with_arguments(&kinds.reference(&Kind::Attempt), None);
        (attempt.name.to_owned(), described(&description, &schema))
    });
    let verbs: Map<String, Value> = verbs.collect();
    json!({
        "type": "object",
        "description": "What the process really tries.",
        "minProperties": 1,
        "properties": verbs,
        "patternProperties": { "^\\$\\{": with_arguments(&kinds.reference(&Kind::Attempt), None) },
        "additionalProperties": false,
    })
}

fn with_arguments(expectation: &Value, pattern: Option<&str>) -> Value {
    let mut schema = json!({ "type": "object", "minProperties": 1, "additionalProperties": expectation });
    if let Some(pattern) = pattern {
        schema["propertyNames"] = json!({ "pattern": pattern });
    }
    schema
}

/// Lets `${name}` stand for every whole value of a derived type, texts aside, which take it anyway.
fn with_variables(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (key, inner) in fields {
                with_variables(inner);
                match (key.as_str(), inner) {
                    ("properties", Value::Object(properties)) => {
                        properties.values_mut().for_each(or_variable);
                    }
                    ("items" | "additionalProperties", inner) if inner.is_object() => or_variable(inner),
                    _ => {}
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(with_variables),
        _ => {}
    }
}

fn or_variable(schema: &mut Value) {
    let takes_text =
        schema.get("type").is_some_and(|kind| kind == "string") && schema.get("pattern").is_none();
    if !takes_text {
        let description = schema.get("description").cloned();
        *schema = json!({ "anyOf": [schema.take(), reference("Variable")] });
        if let Some(description) = description {
            schema["description"] = description;
        }
    }
}
