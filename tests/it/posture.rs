//! A posture as a whole: what is there and not named, whose the namespaces are, and one diff for all that differs.

use std::path::Path;

use airtight::fact::{Query, Reading, Unobserved, View};
use airtight::judge::{Finding, Observations, Verdict, judge, needs_sandboxes, queries};
use airtight::spec::{Seen, parse};
use serde_json::{Value, json};

#[test]
fn what_is_there_and_not_named_is_a_failure() {
    let observed = json!({ "umask": "0022", "fds": { "pipe": 3, "directory": 1 }, "groups": [0] });
    let check = |expected: &str, verdict: &str| {
        let observations = observations(&observed, &json!({ "fds": { "pipe": 9, "directory": 1 } }), &[]);
        assert_eq!(told("inside", expected, &observations), verdict, "{expected}");
    };
    check("{ umask: '0022' }", "held");
    check("{ fds: { pipe: 3 } }", "held");
    check("{ exactly: { umask: '0022', fds: { pipe: 3, directory: 1 }, groups: [0] } }", "held");
    check("{ exactly: { umask: '0022', fds: { pipe: 3, others: 1 }, groups: [0] } }", "held");
    check("{ exactly: { umask: '0022', fds: { count: 2 }, groups: [0] } }", "held");
    check(
        "{ exactly: { umask: '0022', fds: { pipe: 3 }, groups: [0] } }",
        "failed: `directory` is there besides: 1",
    );
    check("{ fds: { exactly: { pipe: 3 } } }", "failed: `directory` is there besides: 1");
    check("{ exactly: { umask: '0022', fds: { count: 2 } } }", "failed: `groups` is there besides: [0]");
    check(
        "{ fds: { exactly: { pipe: 3, directory: 1, socket: 1 } } }",
        "failed: there is no `socket` in { pipe: 3, directory: 1 }",
    );
    check(
        "{ fds: { pipe: 3, directory: 1, others: 1 } }",
        "failed: there are no others, so `others` says nothing",
    );
    check("{ not: { exactly: { umask: '0022' } } }", "held");
}

#[test]
fn what_differs_is_told_as_one_diff() {
    let observed = json!({ "umask": "0077", "fds": { "pipe": 3, "directory": 1 },
        "capabilities": { "effective": ["chown", "sys_admin"], "ambient": [] } });
    let check = |expected: &str, diff: &[&str]| {
        let verdict = verdict("inside", expected, &observations(&observed, &json!({}), &[]));
        let Verdict::Failed(findings) = &verdict else { panic!("{verdict:?}") };
        let [Finding { diff: Some(told), evidence, .. }] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!(told.lines().skip(2).collect::<Vec<_>>(), diff, "{expected}");
        assert!(evidence.is_empty(), "{evidence:?}");
    };
    let all = [
        "  capabilities:",
        "    effective:",
        "+     \"sys_admin\"",
        "  fds:",
        "+   directory: 1",
        "- umask: \"0022\"",
        "+ umask: \"0077\"",
    ];
    check(
        "{ exactly: { umask: '0022', fds: { pipe: 3 }, capabilities: { effective: [chown], ambient: empty } } }",
        &all,
    );
    // Two that differ within a part are told below its name, as the rest is.
    check("{ umask: '0022', fds: { exactly: { pipe: 3 } }, capabilities: { effective: [chown] } }", &all);
}

#[test]
fn a_namespace_is_the_hosts_or_joined_or_new() {
    let observed = json!({ "namespaces": { "pid": "pid:[2]", "net": "net:[1]" } });
    let host = json!({ "namespaces": { "pid": "pid:[1]", "net": "net:[1]" } });
    let other = json!({ "pid": "pid:[2]", "net": "net:[1]" });
    let check = |expected: &str, sandbox: &str, verdict: &str| {
        let observations = observations(&observed, &host, &[(sandbox, Ok(other.clone()))]);
        let expected = format!("{{ namespaces: {expected} }}");
        assert_eq!(told("inside", &expected, &observations), verdict, "{expected}");
    };
    check("{ exactly: { pid: new, net: inherited } }", "inside", "held");
    check("{ exactly: { pid: joined db, net: inherited } }", "db", "held");
    check("{ pid: new }", "db", "failed: expected \"new\", observed \"joined db\"");
    check("{ net: { not: inherited } }", "db", "failed: expected not \"inherited\", observed \"inherited\"");
}

/// What is in none of the sandboxes that were asked could be in the one that did not answer.
#[test]
fn a_sandbox_that_cannot_be_asked_leaves_it_open() {
    let value = json!({ "namespaces": { "pid": "pid:[2]" } });
    let host = json!({ "namespaces": { "pid": "pid:[1]" } });
    let observations = observations(&value, &host, &[("db", Err(Unobserved::because("gone")))]);
    let verdict = told("inside", "{ namespaces: { pid: new } }", &observations);
    assert_eq!(verdict, "broken: could not be observed: namespaces of db: gone");
}

#[test]
fn whose_cgroup_it_is_shows_from_outside_only() {
    let observed = json!({ "cgroup": { "paths": { "unified": "/box" } } });
    let host = json!({ "cgroup": { "paths": { "unified": "/" } } });
    let check = |view: &str, verdict: &str| {
        assert_eq!(told(view, "{ cgroup: own }", &observations(&observed, &host, &[])), verdict);
    };
    check("outside", "held");
    check("inside", "broken: `cgroup` was not observed");
}

/// The helpers' namespaces are held against the sandbox whose helpers they are as well.
#[test]
fn a_helper_may_be_in_its_sandboxes_namespaces() {
    let seen = decoded("outside: { helpers: { each: { posture: { namespaces: { pid: joined first } } } } }");
    assert!(needs_sandboxes(&seen));
    let mut observations = Observations::default();
    let helper = json!({ "posture": { "namespaces": { "pid": "pid:[2]" } } });
    for (view, query) in queries(&seen) {
        let value =
            if view == View::Host { json!({ "namespaces": { "pid": "pid:[1]" } }) } else { json!([helper]) };
        observations.insert(view, query, Ok(reading(&value)));
    }
    observations.insert_sandbox("inside".to_owned(), Ok(reading(&json!({ "pid": "pid:[2]" }))));
    assert_eq!(judge(&seen, &observations), Verdict::Held);
}

fn observations(
    observed: &Value,
    host: &Value,
    sandboxes: &[(&str, Result<Value, Unobserved>)],
) -> Observations {
    let mut observations = Observations::default();
    let query = || Query { fact: "posture".to_owned(), argument: String::new() };
    for view in [View::Inside("inside".to_owned()), View::Outside("inside".to_owned())] {
        observations.insert(view, query(), Ok(reading(observed)));
    }
    observations.insert(View::Host, query(), Ok(reading(host)));
    for (name, namespaces) in sandboxes {
        observations
            .insert_sandbox((*name).to_owned(), namespaces.as_ref().map(reading).map_err(Clone::clone));
    }
    observations
}

fn reading(value: &Value) -> Reading {
    Reading { value: value.clone(), raw: String::new() }
}

fn decoded(body: &str) -> Vec<Seen> {
    let text = format!("scenario: A posture\nclaims:\n  holds:\n    {body}\n");
    let spec = parse(Path::new("posture.yaml"), text).unwrap_or_else(|problems| panic!("{problems}"));
    spec.scenarios[0].claims[0].steps[0].seen.clone()
}

fn verdict(view: &str, expected: &str, observations: &Observations) -> Verdict {
    judge(&decoded(&format!("{view}: {{ posture: {expected} }}")), observations)
}

fn told(view: &str, expected: &str, observations: &Observations) -> String {
    match verdict(view, expected, observations) {
        Verdict::Held => "held".to_owned(),
        Verdict::Failed(findings) => format!("failed: {}", findings[0].label),
        Verdict::Broken(findings) => format!("broken: {}", findings[0].label),
        Verdict::NotMeasured(reason) => format!("not measured: {reason}"),
    }
}
