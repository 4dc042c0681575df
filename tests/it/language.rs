//! A spec from its text to a verdict.

use std::path::Path;

use airtight::fact::{Query, Reading, Value, View};
use airtight::judge::{Observations, Verdict, judge, queries};
use airtight::spec::{Claim, load};
use serde_json::json;

#[test]
fn a_claim_is_decoded_and_judged() {
    let spec =
        load(Path::new("tests/specs/first-process.yaml")).unwrap_or_else(|problems| panic!("{problems}"));
    let [scenario] = spec.scenarios.as_slice() else { panic!("one scenario") };
    let claim = &scenario.claims[0];
    let asked = queries(&claim.steps[0].seen);
    assert_eq!(asked.len(), 4, "{asked:?}");

    let verdict = |pid: i32| judge(&claim.steps[0].seen, &observed(pid));
    assert_eq!(verdict(1), Verdict::Held);
    let Verdict::Failed(findings) = verdict(48211) else { panic!("it must fail") };
    assert_eq!(findings[0].label, "expected 1, observed 48211");
    assert_eq!((findings[0].at.line, findings[0].at.column), (12, 20));
    assert!(matches!(judge(&claim.steps[0].seen, &Observations::default()), Verdict::Broken(_)));
}

#[test]
fn namespaces_are_held_against_the_hosts() {
    let spec =
        load(Path::new("tests/specs/first-process.yaml")).unwrap_or_else(|problems| panic!("{problems}"));
    let claim: &Claim = &spec.scenarios[0].claims[2];
    let own = ["pid", "mount", "uts", "ipc", "net"];
    let links = |own: &[&str]| -> Value {
        let all = ["user", "mount", "pid", "net", "uts", "ipc", "cgroup", "time"];
        all.iter()
            .map(|kind| ((*kind).to_owned(), json!(format!("{kind}:[{}]", own.contains(kind)))))
            .collect()
    };
    let verdict = |own: &[&str]| {
        let mut observations = Observations::default();
        insert(&mut observations, inside(), "namespaces", links(own));
        insert(&mut observations, View::Host, "namespaces", links(&[]));
        judge(&claim.steps[0].seen, &observations)
    };
    assert_eq!(verdict(&own), Verdict::Held);
    let Verdict::Failed(findings) = verdict(&own[1..]) else { panic!("it must fail") };
    assert_eq!(findings[0].missing, [json!("pid")]);
    assert_eq!(findings[0].hint.as_deref(), Some("the same inode: the runtime made no PID namespace"));
}

#[test]
fn claims_of_a_used_block_point_into_their_own_file() {
    let spec = load(Path::new("tests/specs/uses.yaml")).unwrap_or_else(|problems| panic!("{problems}"));
    let claims: Vec<_> = spec.scenarios[0]
        .claims
        .iter()
        .map(|claim| {
            (claim.name.as_str(), claim.row.as_str(), claim.source.path.to_str().unwrap(), claim.at.line)
        })
        .collect();
    let blocks = "tests/specs/blocks/identity.yaml";
    let expected = [
        ("is here", "", "tests/specs/uses.yaml", 9),
        ("has this PID", "pid=1, call=getpid", blocks, 5),
        ("has this PID", "pid=2, call=getpid", blocks, 5),
        ("may ask for it", "pid=1, call=getpid", blocks, 7),
        ("may ask for it", "pid=2, call=getpid", blocks, 7),
    ];
    let sorted = |mut list: Vec<_>| {
        list.sort_unstable();
        list
    };
    assert_eq!(sorted(claims), sorted(expected.to_vec()));
}

fn observed(pid: i32) -> Observations {
    let mut observations = Observations::default();
    insert(&mut observations, inside(), "pid", json!(pid));
    insert(&mut observations, inside(), "ppid", json!(0));
    insert(&mut observations, outside(), "pid", json!(4711));
    insert(&mut observations, outside(), "nspid", json!([4711, 1]));
    observations
}

fn insert(observations: &mut Observations, view: View, fact: &str, value: Value) {
    let query = Query { fact: fact.to_owned(), argument: String::new() };
    observations.insert(view, query, Ok(Reading { raw: value.to_string(), value }));
}

fn inside() -> View {
    View::Inside("inside".to_owned())
}

fn outside() -> View {
    View::Outside("inside".to_owned())
}

#[test]
fn every_part_of_the_language_is_decoded() {
    let spec = load(Path::new("tests/specs/everything.yaml")).unwrap_or_else(|problems| panic!("{problems}"));
    let rows: Vec<&str> = spec.scenarios.iter().map(|scenario| scenario.row.as_str()).collect();
    assert_eq!(rows, ["image=base, hostname=one", "image=busybox, hostname=two"]);
    let claims: Vec<String> =
        spec.scenarios[0].claims.iter().map(|claim| format!("{} [{}]", claim.name, claim.row)).collect();
    let expected = [
        "sees itself as PID 1 []",
        "matches what is written []",
        "tells a story [signal=SIGTERM, sender=host]",
        "tells a story [signal=SIGTERM, sender=inside]",
        "tells a story [signal=SIGKILL, sender=host]",
        "tells a story [signal=SIGKILL, sender=inside]",
        "is who it should be [pid=1, name=one]",
    ];
    assert_eq!(claims, expected);
    assert_eq!(spec.scenarios[1].sandboxes["web"].hostname.as_deref(), Some("two"));
}
