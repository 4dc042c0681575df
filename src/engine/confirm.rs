//! Facts that both sides can see, and that must be the same: what the agent says of them counts only if the host sees it too.

use serde_json::Value;

use crate::fact::{Answer, Fact, Query, Subject, Unobserved, find};

/// Holds what an agent answered against what the host sees of the same process, for the facts that are by definition the same. Where
/// the two differ, or the host cannot see it, nothing was observed.
pub(super) fn confirmed(queries: &[Query], answers: Vec<Answer>, subject: &Subject) -> Vec<Answer> {
    let both = queries.iter().zip(answers);
    both.map(|(query, answer)| answer.and_then(|said| confirm(query, subject, &said.value).map(|()| said)))
        .collect()
}

fn confirm(query: &Query, subject: &Subject, said: &Value) -> Result<(), Unobserved> {
    let Some(fact) = find(&query.fact).filter(|fact| fact.same_outside) else { return Ok(()) };
    let seen =
        (fact.observe)(subject, &query.argument).map_err(|unobserved| unconfirmed(fact, &unobserved))?;
    match difference(fact.name, said, &seen.value) {
        None => Ok(()),
        Some((place, said, seen)) => Err(Unobserved::because(format!(
            "the agent's word is not what the host sees: of `{place}` the agent says {said}, and the host sees {seen}"
        ))),
    }
}

fn unconfirmed(fact: &Fact, unobserved: &Unobserved) -> Unobserved {
    Unobserved::because(format!(
        "the host cannot confirm what the agent says of `{}`: {unobserved}",
        fact.name
    ))
}

/// The first place in which two values differ, with what is there.
fn difference(place: &str, said: &Value, seen: &Value) -> Option<(String, Value, Value)> {
    if said == seen {
        return None;
    }
    let (Some(here), Some(there)) = (said.as_object(), seen.as_object()) else {
        return Some((place.to_owned(), said.clone(), seen.clone()));
    };
    let names = here.keys().chain(there.keys());
    let of = |map: &serde_json::Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .find_map(|name| difference(&format!("{place}.{name}"), &of(here, name), &of(there, name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fact::Reading;

    fn oneself() -> Subject {
        Subject::other(i32::try_from(std::process::id()).unwrap(), None)
    }

    fn told(fact: &str, subject: &Subject, value: Value) -> Result<Value, String> {
        let query = Query { fact: fact.to_owned(), argument: String::new() };
        let answer =
            confirmed(&[query], vec![Ok(Reading { value, raw: String::new() })], subject).pop().unwrap();
        answer.map(|reading| reading.value).map_err(|unobserved| unobserved.reason)
    }

    #[test]
    fn what_the_host_does_not_see_is_not_observed() {
        let check = |fact: &str, value: Value, expected: Result<Value, &str>| {
            assert_eq!(told(fact, &oneself(), value), expected.map_err(str::to_owned));
        };
        check("no_new_privs", json!(false), Ok(json!(false)));
        check(
            "no_new_privs",
            json!(true),
            Err(
                "the agent's word is not what the host sees: of `no_new_privs` the agent says true, and the host sees false",
            ),
        );
        // Not the same by definition: nobody can say which of the two is right.
        check("pid", json!(1), Ok(json!(1)));
        let namespaces = (find("namespaces").unwrap().observe)(&oneself(), "").unwrap().value;
        check("namespaces", namespaces.clone(), Ok(namespaces.clone()));
        let mut invented = namespaces.clone();
        invented["uts"] = json!("uts:[1]");
        let said = told("namespaces", &oneself(), invented).unwrap_err();
        assert!(said.contains("of `namespaces.uts` the agent says \"uts:[1]\", and the host sees"), "{said}");
    }

    #[test]
    fn what_the_host_cannot_see_is_not_observed() {
        // 2^22 is PID_MAX_LIMIT (include/linux/threads.h): no process has this PID.
        let nobody = Subject::other(1 << 22, None);
        let said = told("umask", &nobody, json!("0022")).unwrap_err();
        assert_eq!(
            said,
            "the host cannot confirm what the agent says of `umask`: cannot read /proc/4194304/status: ENOENT"
        );
    }

    #[test]
    fn values_differ_in_their_first_place() {
        let check = |said: Value, seen: Value, expected: Option<(&str, Value, Value)>| {
            let expected = expected.map(|(place, said, seen)| (place.to_owned(), said, seen));
            assert_eq!(difference("f", &said, &seen), expected);
        };
        check(json!({ "a": [1] }), json!({ "a": [1] }), None);
        check(json!([1]), json!([2]), Some(("f", json!([1]), json!([2]))));
        check(json!({ "a": { "b": 1 } }), json!({ "a": { "b": 2 } }), Some(("f.a.b", json!(1), json!(2))));
        check(json!({}), json!({ "a": 2 }), Some(("f.a", Value::Null, json!(2))));
        check(json!({ "a": 2 }), json!({}), Some(("f.a", json!(2), Value::Null)));
    }
}
