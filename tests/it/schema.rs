//! The committed JSON schema: it is fresh, it accepts what the decoder accepts, and refuses the commonest mistakes.
//!
//! `AIRTIGHT_BLESS=1 cargo test schema` writes it anew.

use std::fs;
use std::path::PathBuf;

use airtight::spec::schema;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

#[test]
fn the_committed_schema_is_fresh() {
    let fresh = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("AIRTIGHT_BLESS").is_some() {
        fs::write("schema.json", &fresh).unwrap();
    }
    assert!(
        fs::read_to_string("schema.json").unwrap_or_default() == fresh,
        "schema.json is stale: see tests/it/schema.rs"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let schema = schema();
    let mut left = vec![&schema];
    while let Some(value) = left.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(schema.pointer(&reference[1..]).is_some(), "{reference}");
        }
        match value {
            Value::Object(fields) => left.extend(fields.values()),
            Value::Array(list) => left.extend(list),
            _ => {}
        }
    }
}

#[test]
fn specs_that_decode_are_valid() {
    let specs: Vec<PathBuf> = ["tests/specs/*.yaml", "tests/specs/*/*.yaml", "specs/**/*.yaml"]
        .into_iter()
        .flat_map(|pattern| glob::glob(pattern).unwrap().map(Result::unwrap))
        .collect();
    assert!(specs.len() > 3, "{specs:?}");
    for path in specs {
        for document in documents(&fs::read_to_string(&path).unwrap()) {
            validate(&document, &schema(), &schema())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

#[test]
fn common_mistakes_are_invalid() {
    let check = |body: &str| {
        let text = format!("scenario: a\nclaims:\n  holds:\n    {body}\n");
        for document in documents(&text) {
            assert!(validate(&document, &schema(), &schema()).is_err(), "{body}");
        }
    };
    check("inside: { namspaces: { own: [pid] } }");
    check("inside: { pid: \"1\" }");
    check("inside: { pid: { at_leest: 1 } }");
    check("inside: { namespaces: { own: [mnt] } }");
    check("inside: { alive: true }");
    check("inside: { uname: { relese: x } }");
    check("inside: { paths: { etc/passwd: masked } }");
    check("inside: { attempts: { open: { /x: { denied: ENOENT } } } }");
    check("inside: {}");
    check("timout: 2s");
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// As much of draft 7 as the schema uses.
fn validate(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return if *schema == Value::Bool(false) { Err(format!("{value} is not allowed")) } else { Ok(()) };
    };
    keywords.iter().try_for_each(|(keyword, argument)| keyword_holds(value, keyword, argument, schema, root))
}

fn keyword_holds(
    value: &Value,
    keyword: &str,
    argument: &Value,
    schema: &Value,
    root: &Value,
) -> Result<(), String> {
    let holds = |holds: bool| if holds { Ok(()) } else { Err(format!("{value}: {keyword} {argument}")) };
    let list = || argument.as_array().into_iter().flatten();
    let valid = |schema: &Value| validate(value, schema, root);
    match keyword {
        "$ref" => valid(root.pointer(&argument.as_str().unwrap()[1..]).unwrap()),
        "allOf" => list().try_for_each(valid),
        "anyOf" => {
            let errors: Vec<_> = list().filter_map(|schema| valid(schema).err()).collect();
            if errors.len() < argument.as_array().unwrap().len() { Ok(()) } else { Err(errors.join(" | ")) }
        }
        "oneOf" => holds(list().filter(|schema| valid(schema).is_ok()).count() == 1),
        "const" => holds(value == argument),
        "enum" => holds(list().any(|member| member == value)),
        "type" => holds(is_of_type(value, argument)),
        "pattern" => holds(
            value.as_str().is_none_or(|text| Regex::new(argument.as_str().unwrap()).unwrap().is_match(text)),
        ),
        "required" => holds(list().all(|key| value.get(key.as_str().unwrap()).is_some())),
        "minProperties" => {
            holds(value.as_object().is_none_or(|map| map.len() as u64 >= argument.as_u64().unwrap()))
        }
        "minItems" => {
            holds(value.as_array().is_none_or(|list| list.len() as u64 >= argument.as_u64().unwrap()))
        }
        "maxItems" => {
            holds(value.as_array().is_none_or(|list| list.len() as u64 <= argument.as_u64().unwrap()))
        }
        "items" => value.as_array().into_iter().flatten().try_for_each(|item| validate(item, argument, root)),
        "propertyNames" => value
            .as_object()
            .into_iter()
            .flatten()
            .try_for_each(|(key, _)| validate(&Value::from(key.as_str()), argument, root)),
        "properties" => properties(value, argument, root),
        "additionalProperties" => additional(value, argument, schema, root),
        "$schema" | "title" | "description" | "definitions" | "default" | "examples" | "format"
        | "minimum" | "maximum" | "patternProperties" | "uniqueItems" | "minLength" => Ok(()),
        other => Err(format!("the schema uses `{other}`, which this test does not know")),
    }
}

fn properties(value: &Value, properties: &Value, root: &Value) -> Result<(), String> {
    let known = value.as_object().into_iter().flatten();
    known.filter_map(|(key, value)| properties.get(key).map(|schema| (key, value, schema))).try_for_each(
        |(key, value, schema)| validate(value, schema, root).map_err(|error| format!("{key}: {error}")),
    )
}

fn additional(value: &Value, additional: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    for (key, value) in value.as_object().into_iter().flatten() {
        let pattern =
            patterns.into_iter().flatten().find(|(pattern, _)| Regex::new(pattern).unwrap().is_match(key));
        let known = schema.get("properties").is_some_and(|properties| properties.get(key).is_some());
        match pattern {
            Some((_, schema)) => validate(value, schema, root),
            None if known => Ok(()),
            None => validate(value, additional, root),
        }
        .map_err(|error| format!("{key}: {error}"))?;
    }
    Ok(())
}

fn is_of_type(value: &Value, argument: &Value) -> bool {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    };
    match argument {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => name.as_str().is_some_and(is),
    }
}
