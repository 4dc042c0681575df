//! Verdicts: what passes, what fails, and above all what must be neither.

use std::path::Path;

use airtight::fact::{Ended, Query, Reading, Unobserved, View};
use airtight::judge::{Finding, Observations, Verdict, judge, judge_command, queries};
use airtight::spec::{Action, Claim, parse};
use serde_json::{Value, json};

#[test]
fn a_refusal_needs_a_control_that_succeeds() {
    let check = |expected: &str, tried: Value, control: Value, verdict: &str| {
        let body = format!("inside: {{ attempts: {{ open: {{ /etc/shadow: {expected} }} }} }}");
        check_inside(&body, &tried, &[(View::Control("inside".to_owned()), control)], verdict);
    };
    let failed = |errno: &str| json!({ "failed": errno });
    let killed = json!({ "killed": "SIGSYS" });
    check("denied", failed("EPERM"), json!("allowed"), "held");
    check("denied", failed("ENOSYS"), json!("allowed"), "held");
    check("denied", killed.clone(), json!("allowed"), "held");
    check("denied", json!({ "killed": "SIGKILL" }), json!("allowed"), "failed: but it was ended by SIGKILL");
    check("denied", failed("ENOENT"), json!("allowed"), "failed: failed with ENOENT, which is none");
    check("denied", json!("allowed"), json!("allowed"), "failed: but it succeeded");
    check(
        "denied",
        failed("EPERM"),
        failed("EACCES"),
        "broken: the control failed with EACCES as well; the attempt itself failed with EPERM",
    );
    check("{ denied: EROFS }", failed("EROFS"), json!("allowed"), "held");
    check("{ denied: EROFS }", failed("EPERM"), json!("allowed"), "failed: but it failed with EPERM");
    check("{ denied: SIGSYS }", killed, json!("allowed"), "held");
    check("{ not: denied }", failed("ENOENT"), json!("allowed"), "held");
    check("{ not: denied }", failed("EPERM"), failed("EPERM"), "broken: the control");
    check(
        "{ fails: ENOENT }",
        failed("EACCES"),
        json!("allowed"),
        "failed: fails with ENOENT, but it failed with EACCES",
    );
}

#[test]
fn what_the_host_lacks_is_not_measured() {
    let check = |word: &str, inside: Value, host: Value, verdict: &str| {
        let body = format!("inside: {{ paths: {{ /proc/kcore: {word} }} }}");
        check_inside(&body, &inside, &[(View::Host, host)], verdict);
    };
    let there = json!({ "exists": true, "type": "file", "mask": "none" });
    let hidden = json!({ "exists": true, "type": "character_device", "mask": "null_device" });
    let nothing = json!({ "exists": false, "type": "none", "mask": "none" });
    check("masked", hidden.clone(), there.clone(), "held");
    check("masked", there.clone(), there.clone(), "failed: it shows something");
    check("masked", nothing.clone(), there.clone(), "failed: but it is absent");
    check("masked", hidden.clone(), nothing.clone(), "not measured: the host has no such path");
    check("masked", hidden.clone(), hidden.clone(), "not measured: the host's own is masked");
    check("absent", nothing.clone(), there.clone(), "held");
    check("absent", nothing.clone(), nothing.clone(), "not measured: the host has no such path");
    check("{ not: absent }", nothing.clone(), nothing.clone(), "not measured: the host has no such path");
    check("readable", nothing, there.clone(), "failed: observed nothing there");
    check("readable", there.clone(), there.clone(), "broken: `can_read` was not observed");
    check("{ not: { can_write: true } }", there.clone(), there, "broken: `can_write` was not observed");
}

#[test]
fn lists_name_what_differs() {
    let check = |expected: &str, observed: Value, verdict: &str| {
        check_inside(&format!("inside: {{ nspid: {expected} }}"), &observed, &[], verdict);
    };
    check("[4711, 1]", json!([4711, 1]), "held");
    check("[4711, 1]", json!([1, 4711]), "failed: the order differs");
    check("[4711, 1]", json!([4711]), "failed: missing [1]");
    check("[1]", json!([4711, 1]), "failed: besides [4711]");
    check("[1, 1]", json!([1]), "failed: missing [1]");
    check("{ each: { at_least: 1 } }", json!([]), "failed: nothing is in it, so `each` says nothing");
    check("{ none: 0 }", json!([]), "failed: nothing is in it, so `none` says nothing");
    check("{ count: 2 }", json!([1]), "failed: expected 2 elements, observed 1: [1]");
}

/// One thing that is false makes the whole false; what was not observed makes it broken, never true.
#[test]
fn three_valued_logic() {
    let check = |expected: &str, verdict: &str| {
        let host = (View::Host, json!({ "release": "6.1" }));
        check_inside(
            &format!("inside: {{ uname: {expected} }}"),
            &json!({ "release": "6.1" }),
            &[host],
            verdict,
        );
    };
    check("{ release: \"6.1\", version: x }", "broken: `version` was not observed");
    check("{ release: \"6.2\", version: x }", "failed: expected \"6.2\"");
    check("{ not: { version: x } }", "broken");
    check("{ any_of: [{ version: x }, { release: \"6.1\" }] }", "held");
    check("{ any_of: [{ version: x }, { release: \"6.2\" }] }", "broken");
    check("{ version: { same_as: host } }", "broken");
    check("{ release: { differs_from: host } }", "failed: the same as host");
}

#[test]
fn a_failed_observation_is_broken() {
    let claim = claim("inside: { pid: { not: 1 } }");
    let mut observations = Observations::default();
    let (view, query) = queries(&claim.steps[0].seen).remove(0);
    observations.insert(view, query, Err(Unobserved::because("the answer was cut")));
    let verdict = judge(&claim.steps[0].seen, &observations);
    assert_eq!(in_words(&verdict), "broken: could not be observed: the answer was cut");
}

#[test]
fn a_first_process_that_is_none_has_its_likely_cause() {
    let claim = claim("inside: { pid: 1 }\n    outside: { nspid: { count: 2 } }");
    let mut observations = Observations::default();
    for (view, query) in queries(&claim.steps[0].seen) {
        let value = if query.fact == "pid" { json!(48211) } else { json!([48211]) };
        observations.insert(view, query, Ok(reading(value)));
    }
    let Verdict::Failed(findings) = judge(&claim.steps[0].seen, &observations) else {
        panic!("it must fail")
    };
    let hints: Vec<_> = findings.iter().map(|finding| finding.hint.as_deref()).collect();
    assert_eq!(hints, [Some("NSpid has one level: the runtime made no PID namespace"), None]);
}

#[test]
fn commands_are_judged_by_their_end_and_output() {
    let check = |body: &str, ended: Ended, stdout: &str, verdict: &str| {
        let claim = claim(body);
        let Some(Action::Run(command)) = &claim.steps[0].action else { panic!("a command") };
        let found = in_words(&judge_command(command, ended, stdout, ""));
        assert!(found.starts_with(verdict), "{body}: {found}");
    };
    check("run: echo $$", Ended::Exited(0), "", "held");
    check("run: echo $$", Ended::Exited(1), "", "failed: expected 0, observed 1");
    check(
        "run: echo $$",
        Ended::Signaled(9),
        "",
        "failed: expected exit 0, but the command was ended by SIGKILL",
    );
    check(
        "run: echo $$\n    exit: { not: 0 }",
        Ended::Signaled(9),
        "",
        "failed: expected exit not 0, but the command",
    );
    check("run: kill -9 $$\n    signal: SIGKILL", Ended::Signaled(9), "", "held");
    check(
        "run: kill -9 $$\n    signal: SIGKILL",
        Ended::Exited(0),
        "",
        "failed: expected signal \"SIGKILL\", but the command exited with 0",
    );
    check("run: echo $$\n    stdout: \"1\"", Ended::Exited(0), "1\n", "held");
    check("run: echo $$\n    stdout: \"1\"", Ended::Exited(0), "1\n\n", "failed: the observed text differs");
    check(
        "run: echo $$\n    stdout: \"1\"",
        Ended::Exited(0),
        "17\n",
        "failed: expected \"1\", observed \"17\"",
    );
}

#[test]
fn lines_that_differ_are_shown_as_a_diff() {
    let claim = claim("inside: { hostname: \"a\\nb\\nc\" }");
    let (view, query) = queries(&claim.steps[0].seen).remove(0);
    let mut observations = Observations::default();
    observations.insert(view, query, Ok(reading(json!("a\nB\nc"))));
    let Verdict::Failed(findings) = judge(&claim.steps[0].seen, &observations) else {
        panic!("it must fail")
    };
    let diff = findings[0].diff.as_deref().unwrap_or_default();
    assert!(diff.contains("-b\n+B\n"), "{diff}");
}

fn check_inside(body: &str, observed: &Value, others: &[(View, Value)], expected: &str) {
    let claim = claim(body);
    let mut observations = Observations::default();
    for (view, query) in queries(&claim.steps[0].seen) {
        let other = others.iter().find(|(other, _)| *other == view).map(|(_, value)| value);
        let value = if view == View::Inside("inside".to_owned()) { Some(observed) } else { other };
        if let Some(value) = value {
            insert(&mut observations, view, query, value);
        }
    }
    let found = in_words(&judge(&claim.steps[0].seen, &observations));
    let (word, fragment) = expected.split_once(": ").unwrap_or((expected, ""));
    assert!(
        found.starts_with(word) && found.contains(fragment),
        "{body} of {observed}: {found}, not {expected}"
    );
}

fn insert(observations: &mut Observations, view: View, query: Query, value: &Value) {
    observations.insert(view, query, Ok(reading(value.clone())));
}

fn reading(value: Value) -> Reading {
    Reading { raw: value.to_string(), value }
}

fn claim(body: &str) -> Claim {
    let text = format!("scenario: A scenario\nclaims:\n  holds:\n    {body}\n");
    let spec = parse(Path::new("judging.yaml"), text).unwrap_or_else(|problems| panic!("{problems}"));
    spec.scenarios[0].claims[0].clone()
}

fn in_words(verdict: &Verdict) -> String {
    let labels = |findings: &[Finding]| {
        findings.iter().map(|finding| finding.label.clone()).collect::<Vec<_>>().join("; ")
    };
    match verdict {
        Verdict::Held => "held".to_owned(),
        Verdict::Failed(findings) => format!("failed: {}", labels(findings)),
        Verdict::Broken(findings) => format!("broken: {}", labels(findings)),
        Verdict::NotMeasured(reason) => format!("not measured: {reason}"),
    }
}
