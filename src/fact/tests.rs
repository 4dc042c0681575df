//! The table as a whole: it must be consistent, and every observer must work on a real process.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;

/// The words that stand where a field's name can stand.
const MATCHERS: &[&str] = &[
    "not",
    "one_of",
    "at_least",
    "at_most",
    "more_than",
    "less_than",
    "between",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "like",
    "empty",
    "count",
    "some",
    "each",
    "none",
    "contains_all",
    "exactly",
    "has_key",
    "json",
    "version",
    "any_of",
    "same_as",
    "differs_from",
    "unchanged",
    "denied",
    "allowed",
    "fails",
    "masked",
    "read_only",
    "absent",
    "readable",
    "writable",
    "others",
];

/// Matchers that no record takes (they are for texts, and for lists and maps): in a record the word is its field.
const NOT_FOR_RECORDS: &[&str] = &["version", "count"];

/// Facts that some kernels and some sandboxes do not show at all, with a fragment of the reason.
const MAY_BE_UNOBSERVED: &[(&str, &str)] = &[
    ("seccomp_filters", "this kernel does not show it"),
    ("time_offsets", "ENOENT"),
    ("keyrings", "keyctl"),
    ("kernel_config", "ENOENT"),
    ("os_release", "ENOENT"),
    ("cgroup", "ENOENT"),
    ("pivoted", "setns: EPERM"),
    // A runtime does, of a sandbox's process.
    ("reports", "nobody reports of this process"),
];

fn fields(kind: &Kind) -> Vec<&'static Field> {
    match kind {
        Kind::List(inner) | Kind::Set(inner) | Kind::Map(inner) => fields(inner),
        Kind::Record(own) | Kind::Path(own) => {
            own.iter().flat_map(|field| std::iter::once(field).chain(fields(&field.kind))).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn names_are_unique_and_no_matchers() {
    let mut seen = BTreeSet::new();
    let names = TABLE.iter().map(|fact| fact.name).chain(ATTEMPTS.iter().map(|attempt| attempt.name));
    for name in names {
        assert!(seen.insert(name), "{name} is there twice");
        assert!(!MATCHERS.contains(&name), "{name} is a matcher");
    }
    for fact in TABLE {
        for field in fields(&fact.kind) {
            let clashes = MATCHERS.contains(&field.name) && !NOT_FOR_RECORDS.contains(&field.name);
            assert!(!clashes, "{}: {} is a matcher", fact.name, field.name);
            assert!(field.brief.len() > 3, "{}: {} says nothing", fact.name, field.name);
        }
    }
}

#[test]
fn fields_of_a_record_are_unique() {
    for fact in TABLE {
        if let Kind::Record(own) | Kind::Path(own) = fact.kind {
            let names: BTreeSet<&str> = own.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), own.len(), "{}", fact.name);
        }
    }
}

#[test]
fn every_entry_explains_itself() {
    let check = |name: &str, brief: &str, long: &str, example: &str| {
        assert!(brief.len() > 10 && long.len() > 20, "{name} says too little");
        let parsed: Value = serde_yaml::from_str(example).unwrap_or_else(|error| panic!("{name}: {error}"));
        let keys = parsed.as_object().unwrap().get("attempts").unwrap_or(&parsed);
        assert!(keys.get(name).is_some(), "the example of {name} is about something else");
    };
    for fact in TABLE {
        check(fact.name, fact.brief, fact.long, fact.example);
        assert!(!fact.views.is_empty(), "{} cannot be observed", fact.name);
    }
    for attempt in ATTEMPTS {
        check(attempt.name, attempt.brief, attempt.long, attempt.example);
        let example: Value = serde_yaml::from_str(attempt.example).unwrap();
        for object in example["attempts"][attempt.name].as_object().unwrap().keys() {
            assert_eq!((attempt.check)(object), Ok(()), "{}", attempt.name);
        }
    }
}

/// Whether a value has the shape that its kind says. Fields of a record may be missing, but none may be unknown.
fn fits(value: &Value, kind: &Kind) -> bool {
    match kind {
        Kind::Bool => value.is_boolean(),
        Kind::Int => value.is_i64() || value.is_u64(),
        Kind::Text => value.is_string(),
        Kind::Origin => value
            .as_str()
            .is_some_and(|word| matches!(word, "inherited" | "new") || word.starts_with("joined ")),
        Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Limit => value.is_u64() || *value == json!("unlimited"),
        Kind::Mode => {
            value.as_str().is_some_and(|mode| mode.chars().all(|digit| ('0'..'8').contains(&digit)))
        }
        Kind::List(inner) | Kind::Set(inner) => {
            value.as_array().is_some_and(|list| list.iter().all(|value| fits(value, inner)))
        }
        Kind::Map(inner) => value.as_object().is_some_and(|map| map.values().all(|value| fits(value, inner))),
        Kind::Record(own) | Kind::Path(own) => value.as_object().is_some_and(|map| {
            map.iter().all(|(name, value)| {
                own.iter().any(|field| field.name == name.as_str() && fits(value, &field.kind))
            })
        }),
        Kind::Attempt => false,
        Kind::Any => true,
    }
}

#[test]
fn arguments_are_checked_before_anything_runs() {
    let check = |fact: &str, argument: &str, expected: Result<(), &str>| {
        let result = check_argument(find(fact).unwrap(), argument);
        assert_eq!(result.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text));
    };
    check("pid", "", Ok(()));
    check("pid", "1", Err("`pid` takes no argument"));
    check("files", "", Err("`files` needs a PATH"));
    check("files", "etc/passwd", Err("`etc/passwd` is not an absolute path"));
    check("mounts", "/proc", Ok(()));
    check("sysctls", "net.ipv4.ip_forward", Ok(()));
    check("sysctls", "net..x", Err("`net..x` is not the name of a kernel parameter"));
    check("kernel_config", "SECCOMP", Err("`SECCOMP` is no option's name: write `CONFIG_SECCOMP`"));
    for fact in TABLE {
        assert_eq!(check_argument(fact, argument(fact)), Ok(()), "{}", fact.name);
    }
}

/// An argument for each fact that takes one.
fn argument(fact: &Fact) -> &'static str {
    match fact.name {
        "sysctls" => "kernel.ostype",
        "kernel_config" => "CONFIG_NAMESPACES",
        "files" => "/proc/version",
        "paths" | "mounts" | "filesystems" => "/proc",
        "entries" | "device_nodes" => "/dev/pts",
        "reports" => "nursery",
        _ => "",
    }
}

fn check(fact: &Fact, subject: &Subject) {
    match (fact.observe)(subject, argument(fact)) {
        Ok(mut reading) => {
            if let Some(relate) = fact.relate {
                let host = (find(reference(fact)).unwrap().observe)(&Subject::oneself(), "").unwrap().value;
                relate(&mut reading.value, &Peers::host(&host));
            }
            assert!(
                fits(&reading.value, &fact.kind),
                "{}: {:?} does not fit {:?}",
                fact.name,
                reading.value,
                fact.kind
            );
        }
        Err(error) => {
            let expected =
                |(name, reason): &(&str, &str)| *name == fact.name && error.reason.contains(reason);
            assert!(MAY_BE_UNOBSERVED.iter().any(expected), "{}: {error}", fact.name);
        }
    }
}

#[test]
fn every_observer_works_on_oneself() {
    for fact in TABLE.iter().filter(|fact| fact.views.contains(&Vantage::Host)) {
        check(fact, &Subject::oneself());
    }
}

fn child() -> (Child, Subject) {
    let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let subject = Subject::other(i32::try_from(child.id()).unwrap(), None);
    (child, subject)
}

#[test]
fn every_outside_observer_works_on_a_child() {
    let (mut child, subject) = child();
    // The one is of a process that has ended, and the other of a sandbox's folder.
    let of_others = ["exit_code", "scratch"];
    let of_outside = |fact: &&Fact| fact.views.contains(&Vantage::Outside) && !of_others.contains(&fact.name);
    for fact in TABLE.iter().filter(of_outside) {
        check(fact, &subject);
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let exited = Subject::other(subject.pid().unwrap(), Some(Ended::Exited(0)));
    check(find("exit_code").unwrap(), &exited);
}

#[test]
fn a_process_that_is_gone_is_not_observed() {
    let gone = Subject::other(1 << 22, None);
    let known = ["pid", "alive", "state"];
    for fact in
        TABLE.iter().filter(|fact| fact.views.contains(&Vantage::Outside) && !known.contains(&fact.name))
    {
        assert!((fact.observe)(&gone, argument(fact)).is_err(), "{} tells of nobody", fact.name);
    }
}

#[test]
fn a_childs_facts_are_its_own() {
    let mut child = Command::new("cat")
        .args(["-", "a b"])
        .env_clear()
        .env("ONLY", "this")
        .current_dir("/usr")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let subject = Subject::other(i32::try_from(child.id()).unwrap(), None);
    let check = |name: &str, expected: Value| {
        let reading = (find(name).unwrap().observe)(&subject, "").unwrap();
        assert_eq!(reading.value, expected, "{name}");
        assert!(!reading.raw.is_empty(), "{name} has no evidence");
    };
    check("pid", json!(child.id()));
    check("ppid", json!(std::process::id()));
    check("cmdline", json!(["cat", "-", "a b"]));
    check("env", json!({ "ONLY": "this" }));
    check("cwd", json!("/usr"));
    check("root", json!("/"));
    check("alive", json!(true));
    drop(child.stdin.take());
    child.wait().unwrap();
}
