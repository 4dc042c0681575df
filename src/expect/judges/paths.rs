//! `masked`, `absent`, `read_only`, `readable`, `writable`: the states of a path.

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe_matching, show};
use crate::expect::expectation::Matching;
use crate::fact::{Kind, Value, View};

pub(in crate::expect) fn masked(matching: &Matching, _: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    on_host(matching, scene, || {
        Check::from(is_masked(value), || {
            let label = if exists(value) {
                format!("expected it masked, but it shows something: {}", show(value))
            } else {
                "expected it masked, but it is absent".to_owned()
            };
            Miss::labelled(matching.at, label, "masked".to_owned(), Some(value))
        })
    })
}

pub(in crate::expect) fn absent(matching: &Matching, _: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    on_host(matching, scene, || Check::from(!exists(value), || state(matching, value)))
}

pub(in crate::expect) fn read_only(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    flag(matching, value, "mounted_read_only")
}

pub(in crate::expect) fn readable(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    flag(matching, value, "can_read")
}

pub(in crate::expect) fn writable(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    flag(matching, value, "can_write")
}

/// What the host lacks as well, or what is masked there already, says nothing of the sandbox.
fn on_host(matching: &Matching, scene: &Scene<'_>, judge: impl FnOnce() -> Check) -> Check {
    match (scene.other)(&View::Host) {
        Err(unseen) if unseen.refused => {
            Check::NotMeasured(format!("whether the host has it is not told to who runs airtight: {unseen}"))
        }
        Err(reason) => {
            let label = format!("no observation of the host's: {reason}");
            Check::Broken(vec![Miss::labelled(matching.at, label, describe_matching(matching), None)])
        }
        Ok(host) if is_masked(&host) => Check::NotMeasured("the host's own is masked".to_owned()),
        Ok(host) if exists(&host) => judge(),
        Ok(_) => Check::NotMeasured("the host has no such path".to_owned()),
    }
}

/// One of the covers of the runtimes lies over it.
fn is_masked(value: &Value) -> bool {
    exists(value) && value.get("mask").and_then(Value::as_str).is_some_and(|mask| mask != "none")
}

fn flag(matching: &Matching, value: &Value, name: &str) -> Check {
    match value.get(name).and_then(Value::as_bool) {
        _ if !exists(value) => Check::Fails(vec![state(matching, value)]),
        None => {
            let label = format!("`{name}` was not observed");
            Check::Broken(vec![Miss::labelled(matching.at, label, describe_matching(matching), None)])
        }
        Some(holds) => Check::from(holds, || state(matching, value)),
    }
}

fn state(matching: &Matching, value: &Value) -> Miss {
    let expected = describe_matching(matching);
    let observed = if exists(value) { show(value) } else { "nothing there".to_owned() };
    let label = format!("expected it {expected}, observed {observed}");
    Miss::labelled(matching.at, label, expected, Some(value))
}

fn exists(value: &Value) -> bool {
    value.get("exists").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::expect::check::Check;
    use crate::expect::decoded::{checked_beside, told};
    use crate::fact::{Unobserved, Value};

    #[test]
    fn what_a_path_permits_is_told_with_what_is_there() {
        let check = |word: &str, observed: Value, expected: &str| {
            assert_eq!(
                told(&format!("paths: {{ /x: {word} }}"), &observed),
                expected,
                "{word} of {observed}"
            );
        };
        for (word, field) in
            [("read_only", "mounted_read_only"), ("readable", "can_read"), ("writable", "can_write")]
        {
            check(word, json!({ "exists": true, field: true }), "holds");
            let words = word.replace('_', " ");
            let expected = format!("expected it {words}, observed {{ exists: true, {field}: false }}");
            check(word, json!({ "exists": true, field: false }), &expected);
            check(word, json!({ "exists": true }), &format!("broken: `{field}` was not observed"));
            let expected = format!("expected it {words}, observed nothing there");
            check(word, json!({ "exists": false, field: true }), &expected);
        }
        check("masked", json!({ "exists": true }), "broken: no observation of the host's: nobody looked");
        check("absent", json!({ "exists": false }), "broken: no observation of the host's: nobody looked");
    }

    #[test]
    fn where_the_runner_may_not_look_nothing_is_said_of_the_sandbox() {
        let refused = Unobserved { reason: "cannot look at /x: EACCES".to_owned(), refused: true };
        for observed in [json!({ "exists": false }), json!({ "exists": true })] {
            let check = checked_beside("paths: { /x: absent }", &observed, &Err(refused.clone()));
            let reason =
                "whether the host has it is not told to who runs airtight: cannot look at /x: EACCES";
            assert!(matches!(&check, Check::NotMeasured(why) if why == reason), "{check:?}");
        }
    }
}
