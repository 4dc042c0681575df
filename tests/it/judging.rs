//! Verdicts: what passes, what fails, and above all what must be neither.

use std::path::Path;

use airtight::fact::{Ended, Query, Reading, Unobserved, View};
use airtight::judge::{
    Evidence, Finding, Observations, Verdict, judge, judge_command, needs_sandboxes, queries, readings,
};
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
    check("{ target: /etc }", there.clone(), there.clone(), "failed: there is no `target`");
    check("{ can_read: true }", nothing.clone(), there.clone(), "failed: there is no `can_read`");
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
    let told = |expected: &str, observed: Value, label: &str| {
        let found = findings(&format!("inside: {{ nspid: {expected} }}"), &observed, &[]);
        assert_eq!(found.last().map(|finding| finding.label.as_str()), Some(label), "{observed}");
        assert_eq!(found.len(), 3, "{observed}");
    };
    told("{ each: { at_least: 9 } }", json!([1, 2, 3]), "expected at least 9, observed 3");
    told("{ each: { at_least: 9 } }", json!([1, 2, 3, 4, 5]), "expected at least 9, observed 3; and 2 more");
    check("{ each: { at_least: 1 } }", json!([]), "failed: nothing is in it, so `each` says nothing");
    check("{ none: 0 }", json!([]), "failed: nothing is in it, so `none` says nothing");
    check("{ count: 2 }", json!([1]), "failed: expected 2 elements, observed 1: [1]");
}

#[test]
fn each_of_the_others_is_compared_with_its_own_counterpart() {
    let check = |host: Value, verdict: &str| {
        let (body, inside) =
            ("inside: { env: { A: x, others: { same_as: host } } }", json!({ "A": "x", "B": "y" }));
        check_inside(body, &inside, &[(View::Host, host)], verdict);
    };
    check(json!({ "A": "z", "B": "y" }), "held");
    check(json!({ "A": "y", "B": "x" }), "failed: expected the same as host (\"x\"), observed \"y\"");
    check(json!({ "A": "x" }), "broken: nothing to compare with from host: there is no `B` in it");
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
    check("{ any_of: [{ release: { same_as: host } }, { version: x }] }", "held");
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
fn failures_whose_pattern_is_known_have_their_likely_cause() {
    let check = |body: &str, inside: Value, others: &[(View, Value)], hint: Option<&str>| {
        let found = findings(&format!("inside: {{ {body} }}"), &inside, others);
        assert_eq!(found[0].hint.as_deref(), hint, "{body} of {inside}: {}", found[0].label);
    };
    let host = |value: Value| [(View::Host, value)];
    let control = |value: Value| [(View::Control("inside".to_owned()), value)];
    check("hostname: { differs_from: host }", json!("vm"), &host(json!("vm")), Some(NO_UTS));
    check("hostname: box", json!("vm"), &host(json!("vm")), None);
    let (refused, denied) = (json!({ "failed": "EPERM" }), "attempts: { chroot: { /: denied } }");
    check(denied, refused.clone(), &control(refused), Some(EVEN_THERE));
    check(denied, json!("allowed"), &control(json!("allowed")), None);
    let check = |body: &str, own: &[&str], kind: Option<&str>| {
        let hint = kind.map(|kind| format!("the same inode: the runtime made no {kind} namespace"));
        check(&format!("namespaces: {{ {body} }}"), namespaces(own), &host(namespaces(&[])), hint.as_deref());
    };
    check("own: [pid, net]", &["pid"], Some("network"));
    check("own: [pid]", &["pid", "net"], None);
    check("shared: [user]", &["pid", "net", "mount", "uts", "cgroup", "time"], Some("IPC"));
    check("shared: [user]", &["user", "pid", "net", "mount", "uts", "cgroup", "time", "ipc"], None);
    check("mount: { differs_from: host }", &[], Some("mount"));
    check("mount: { same_as: host }", &["mount"], None);
}

/// A sandbox's own namespaces are new to it, and joined to who came later; and what the host was not asked cannot be held against it.
#[test]
fn a_posture_is_held_against_the_host_and_the_sandboxes_that_run() {
    let check = |view: &str, word: &str, verdict: &str| {
        let claim = claim(&format!(
            "steps: [{{ join: later }}, {{ {view}: {{ posture: {{ namespaces: {{ pid: {word} }} }} }} }}]"
        ));
        let seen = &claim.steps[1].seen;
        let (mut observations, mut more) = (Observations::default(), Observations::default());
        for (view, query) in queries(seen) {
            let links = if view == View::Host { namespaces(&[]) } else { namespaces(&["pid"]) };
            more.insert(view, query, Ok(reading(json!({ "namespaces": links }))));
        }
        more.insert_sandbox("inside".to_owned(), Ok(reading(namespaces(&["pid"]))));
        observations.extend(more);
        let found = in_words(&judge(seen, &observations));
        assert!(found.starts_with(verdict), "{view} {word}: {found}");
    };
    check("outside", "new", "held");
    check("outside", "joined first", "failed: expected \"joined first\", observed \"new\"");
    check("outside later", "joined first", "held");
    check("outside later", "new", "failed: expected \"new\", observed \"joined first\"");
}

/// What the host is asked for is its posture, whatever the fact is called.
#[test]
fn helpers_are_held_against_the_posture_of_the_host() {
    let claim = claim("outside: { helpers: empty }");
    let mut observations = Observations::default();
    for (view, query) in queries(&claim.steps[0].seen) {
        let value =
            if query.fact == "posture" { json!({ "namespaces": namespaces(&[]) }) } else { json!([]) };
        observations.insert(view, query, Ok(reading(value)));
    }
    assert_eq!(in_words(&judge(&claim.steps[0].seen, &observations)), "held");
}

#[test]
fn the_namespaces_of_the_sandboxes_are_needed_for_a_posture() {
    for (body, needed) in
        [("posture: { umask: \"0022\" }", true), ("helpers: empty", true), ("pid: 1", false)]
    {
        let claim = claim(&format!("outside: {{ {body} }}"));
        assert_eq!(needs_sandboxes(&claim.steps[0].seen), needed, "{body}");
    }
}

const NO_UTS: &str = "the runtime made no UTS namespace";
const EVEN_THERE: &str =
    "the attempt is refused even where nothing restricts it: it may need root, or a newer kernel";

/// The namespaces of a process that shares with the host all but those of its own.
fn namespaces(own: &[&str]) -> Value {
    let names = ["pid", "ipc", "net", "mount", "uts", "cgroup", "time", "user"];
    let link = |name: &str| format!("{name}:[{}]", if own.contains(&name) { 2 } else { 1 });
    names.into_iter().map(|name| (name.to_owned(), Value::from(link(name)))).collect()
}

#[test]
fn evidence_is_what_each_viewpoint_shows_of_the_field_that_was_judged() {
    let check = |body: &str, inside: Result<Value, &str>, host: Result<Value, &str>, lines: [&str; 2]| {
        let claim = claim(&format!("inside: {{ {body} }}"));
        let mut observations = Observations::default();
        let (view, query) = queries(&claim.steps[0].seen).remove(0);
        for (view, observed) in [(view, inside), (View::Host, host)] {
            let answer = observed.map(reading).map_err(Unobserved::because);
            observations.insert(view, query.clone(), answer);
        }
        // Of another query.
        let other = Query { fact: "hostname".to_owned(), argument: String::new() };
        observations.insert(View::Host, other, Ok(reading(json!("vm"))));
        let verdict = judge(&claim.steps[0].seen, &observations);
        let (Verdict::Failed(found) | Verdict::Broken(found)) = verdict else { panic!("{body} holds") };
        assert_eq!(found[0].evidence.iter().map(line).collect::<Vec<_>>(), lines, "{body}");
    };
    let body = "uname: { release: \"6.2\" }";
    let release = |release: &str| Ok(json!({ "release": release, "version": "#1" }));
    let inside = "inside uname.release: \"6.1\"";
    check(body, release("6.1"), release("6.1"), [inside, "host uname.release: \"6.1\" (the same)"]);
    check(body, release("6.1"), release("5.4"), [inside, "host uname.release: \"5.4\""]);
    check(body, release("6.1"), Err("cut"), [inside, "host uname.release: nothing (cut)"]);
    check(body, Err("gone"), Err("cut"), ["inside uname: nothing (gone)", "host uname: nothing (cut)"]);
    let file = "files: { /etc/hosts: two }";
    let (host, inside) = ("host files /etc/hosts: \"one\" (the same)", "inside files /etc/hosts: \"one\"");
    check(file, Ok(json!("one")), Ok(json!("one")), [inside, host]);
}

#[test]
fn behind_a_claim_that_holds_stands_what_was_seen_from_its_viewpoint() {
    let claim = claim("inside: { hostname: vm, umask: \"0022\", pid: 1, uid: 0 }");
    let mut observations = Observations::default();
    for (view, query) in queries(&claim.steps[0].seen) {
        let answer = match query.fact.as_str() {
            "hostname" => Ok(reading(json!("vm"))),
            "umask" => Err(Unobserved::because("cut")),
            "uid" => Ok(reading(json!(0))),
            // The last one is not looked at.
            _ => continue,
        };
        observations.insert(View::Host, query.clone(), Ok(reading(json!("another"))));
        observations.insert(view, query, answer);
    }
    // What is expected twice is told once.
    let seen = &claim.steps[0].seen;
    let told: Vec<String> = readings(seen.iter().chain(seen), &observations).iter().map(line).collect();
    assert_eq!(told, ["inside hostname: \"vm\"", "inside umask: nothing (cut)", "inside uid: 0"]);
}

fn line(evidence: &Evidence) -> String {
    let value = evidence.value.as_ref().map_or("nothing".to_owned(), Value::to_string);
    let note = if evidence.note.is_empty() { String::new() } else { format!(" ({})", evidence.note) };
    format!("{} {}: {value}{note}", evidence.view, evidence.fact)
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

fn findings(body: &str, observed: &Value, others: &[(View, Value)]) -> Vec<Finding> {
    match judged(body, observed, others) {
        Verdict::Failed(found) | Verdict::Broken(found) => found,
        other => panic!("{body} of {observed}: {}", in_words(&other)),
    }
}

fn judged(body: &str, observed: &Value, others: &[(View, Value)]) -> Verdict {
    let claim = claim(body);
    let mut observations = Observations::default();
    for (view, query) in queries(&claim.steps[0].seen) {
        let other = others.iter().find(|(other, _)| *other == view).map(|(_, value)| value);
        let value = if view == View::Inside("inside".to_owned()) { Some(observed) } else { other };
        if let Some(value) = value {
            insert(&mut observations, view, query, value);
        }
    }
    judge(&claim.steps[0].seen, &observations)
}

/// The whole of a posture from each viewpoint would bury what differs.
#[test]
fn the_parts_of_a_posture_that_differ_are_told_as_one_diff() {
    let told = |body: &str, observed: Value| {
        let found = findings(&format!("inside: {{ {body} }}"), &observed, &[(View::Host, json!({}))]);
        let diff = found[0].diff.clone().unwrap_or_default();
        (found.len(), found[0].label.clone(), found[0].evidence.is_empty(), diff)
    };
    let observed = json!({ "umask": "0022", "oom_score_adj": 5 });
    let (count, label, bare, diff) = told("posture: { umask: \"0077\", oom_score_adj: 0 }", observed);
    assert_eq!(
        (count, label.as_str(), bare),
        (1, "2 fields are not as expected: umask, oom_score_adj", true)
    );
    assert!(diff.contains("umask") && diff.contains("oom_score_adj"), "{diff}");
    let observed = json!({ "release": "6.1", "version": "#1" });
    let (count, label, bare, _) = told("uname: { release: a, version: b }", observed);
    assert_eq!((count, label.as_str(), bare), (2, "expected \"a\", observed \"6.1\"", false));
}

fn check_inside(body: &str, observed: &Value, others: &[(View, Value)], expected: &str) {
    let found = in_words(&judged(body, observed, others));
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
