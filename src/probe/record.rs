//! A spec from what was measured, for its author to edit.

use serde_yaml::Value as Yaml;

use super::measure::Probed;
use crate::fact::{Kind, Value};

/// What tells of the agent, and not of the sandbox.
const OF_THE_AGENT: [&str; 3] = ["cmdline", "exe", "processes"];

/// What is the host's, and changes with it, in a sandbox without a network namespace of its own.
const OF_THE_NETWORK: [&str; 4] = ["interfaces", "addresses", "routes", "sockets"];

/// Fields that tell how much is used at the moment: what they have twice by chance they have no third time.
const OF_THE_MOMENT: [&str; 2] = ["tasks", ".current"];

/// A scenario of one claim for each fact that is the same in both sandboxes and another without a sandbox, before them and after: what is
/// volatile says nothing, and what any process of the host has is not isolated. `None` if nothing is left: a spec that expects nothing
/// would hold anywhere.
pub fn record(
    runtime: &str,
    image: &str,
    hardened: bool,
    [one, other]: [&[Probed]; 2],
    without: [&[Probed]; 2],
) -> Option<String> {
    let has_network = owns_network(one);
    let is_its_own =
        |name: &str| !OF_THE_AGENT.contains(&name) && (has_network || !OF_THE_NETWORK.contains(&name));
    let claims: Vec<String> = one
        .iter()
        .zip(other)
        .enumerate()
        .filter(|(_, (one, _))| is_its_own(one.fact.name))
        .filter_map(|(place, (one, other))| claim(one, other, without.map(|bare| bare.get(place))))
        .collect();
    (!claims.is_empty()).then(|| format!("{}{}", head(runtime, image, hardened), claims.join("\n")))
}

fn owns_network(probed: &[Probed]) -> bool {
    let namespaces = probed.iter().find(|probed| probed.fact.name == "namespaces");
    let own = namespaces.and_then(|probed| probed.value.as_ref().ok()?.get("own")?.as_array());
    own.is_some_and(|own| own.iter().any(|name| name == "net"))
}

fn head(runtime: &str, image: &str, hardened: bool) -> String {
    let profile = if hardened { "  profile: hardened\n" } else { "" };
    format!(
        "# Recorded by `airtight record {runtime}`: take out what need not be so, and say why the rest must.\n\
         scenario: What {runtime} gives by itself\n\
         runtimes: [{runtime}]\n\n\
         sandbox:\n  image: {image}\n{profile}\n\
         claims:\n"
    )
}

fn claim(one: &Probed, other: &Probed, without: [Option<&Probed>; 2]) -> Option<String> {
    let (Ok(one_value), Ok(other)) = (&one.value, &other.value) else { return None };
    // What cannot be observed without a sandbox is at least not known to be the same.
    let nothing = Value::Null;
    let bare = without.map(|bare| bare.and_then(|bare| bare.value.as_ref().ok()).unwrap_or(&nothing));
    let told = isolated(&one.fact.kind, one_value, other, bare)?;
    let name = one.fact.name;
    let yaml = serde_yaml::to_string(&Yaml::Mapping(
        [(Yaml::from(name), serde_yaml::to_value(&told).ok()?)].into_iter().collect(),
    ))
    .ok()?;
    let indented: Vec<String> = yaml.lines().map(|line| format!("      {line}")).collect();
    Some(format!("  has the {} that it had:\n    inside:\n{}\n", name.replace('_', " "), indented.join("\n")))
}

/// What of a value is in both sandboxes and not without one; field by field where it has fields.
fn isolated(kind: &Kind, one: &Value, other: &Value, bare: [&Value; 2]) -> Option<Value> {
    if let (Kind::Record(_) | Kind::Map(_), Value::Object(fields)) = (kind, one) {
        let lasting =
            fields.iter().filter(|(name, _)| !OF_THE_MOMENT.iter().any(|ending| name.ends_with(ending)));
        let kept = lasting.filter_map(|(name, value)| {
            let kind = of_field(kind, name)?;
            Some((
                name.clone(),
                isolated(
                    &kind,
                    value,
                    other.get(name)?,
                    bare.map(|bare| bare.get(name).unwrap_or(&Value::Null)),
                )?,
            ))
        });
        let kept: serde_json::Map<String, Value> = kept.collect();
        return (!kept.is_empty()).then_some(Value::Object(kept));
    }
    let sayable = !matches!(kind, Kind::Path(_) | Kind::Attempt) && !one.is_null();
    (one == other && !bare.contains(&one) && sayable).then(|| expectation(one))
}

/// A list or a text of nothing must be said in words: bare, it would look forgotten.
fn expectation(value: &Value) -> Value {
    let is_empty = value.as_array().is_some_and(Vec::is_empty) || value.as_str() == Some("");
    if is_empty { serde_json::json!({ "empty": true }) } else { value.clone() }
}

fn of_field(kind: &Kind, name: &str) -> Option<Kind> {
    match kind {
        Kind::Record(fields) => fields.iter().find(|field| field.name == name).map(|field| field.kind),
        Kind::Map(kind) => Some(**kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fact::Field;

    const FIELDS: Kind = Kind::Record(&[
        Field { name: "stable", kind: Kind::Int, brief: "" },
        Field { name: "volatile", kind: Kind::Int, brief: "" },
        Field { name: "shared", kind: Kind::Text, brief: "" },
    ]);

    #[test]
    fn only_what_is_stable_and_not_so_without_a_sandbox_is_kept() {
        let one = json!({ "stable": 1, "volatile": 2, "shared": "host" });
        let other = json!({ "stable": 1, "volatile": 3, "shared": "host" });
        let bare = json!({ "stable": 7, "volatile": 2, "shared": "host" });
        assert_eq!(isolated(&FIELDS, &one, &other, [&bare, &bare]), Some(json!({ "stable": 1 })));
        assert_eq!(isolated(&FIELDS, &one, &other, [&one, &one]), None);
        let of_two = |before: i32, after: i32| {
            isolated(&Kind::Int, &json!(1), &json!(1), [&json!(before), &json!(after)])
        };
        assert_eq!(of_two(2, 2), Some(json!(1)));
        assert_eq!(of_two(2, 3), Some(json!(1)));
        // What the host has changed to meanwhile is the host's.
        assert_eq!(of_two(2, 1), None);
        let (none, some) = (json!([]), json!(["eth0"]));
        // Neither what was twice the same by chance.
        let used = json!({ "tasks": 7, "memory.current": 7 });
        let kind = Kind::Map(&Kind::Int);
        assert_eq!(isolated(&kind, &used, &used, [&bare, &bare]), None);
        let empty = isolated(&Kind::Set(&Kind::Text), &none, &none, [&some, &some]);
        assert_eq!(empty, Some(json!({ "empty": true })));
    }

    #[test]
    fn nothing_to_say_is_no_spec() {
        assert_eq!(record("runc", "base", false, [&[], &[]], [&[], &[]]), None);
    }
}
