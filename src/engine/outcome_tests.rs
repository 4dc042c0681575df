//! What a guest sends to its host comes out there as it went in.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Outcome, Summary, Trouble};
use crate::expect::Span;
use crate::fact::{Query, Reading, Unobserved, View};
use crate::judge::{Evidence, Finding, Observations};
use crate::plan::Skip;

/// As one line of JSON, and back.
fn there_and_back<T: Serialize + DeserializeOwned>(sent: &T) -> T {
    let line = serde_json::to_string(sent).unwrap();
    assert!(!line.contains('\n'), "{line}");
    serde_json::from_str(&line).unwrap()
}

/// Nothing of it is left out, and nothing of it is harmless.
fn trouble() -> Trouble {
    let evidence = Evidence {
        view: "outside".to_owned(),
        fact: "files /a\nb".to_owned(),
        value: Some(json!({ "size": u64::MAX, "least": i64::MIN, "text": "\u{1b}[31m\0\u{202e}" })),
        note: String::new(),
    };
    let finding = Finding {
        at: Span { line: 3, column: 7, length: 1 },
        label: "expected 1, observed 2".to_owned(),
        fact: "pid".to_owned(),
        expected: "1".to_owned(),
        actual: Some(json!(2)),
        missing: vec![json!("a"), json!(null)],
        extra: vec![json!([1, "2"])],
        diff: Some("-a\n+b\n".to_owned()),
        evidence: vec![evidence],
        hint: None,
    };
    Trouble {
        findings: vec![finding],
        message: Some("the time was up".to_owned()),
        kept: Some("/a/b".into()),
    }
}

#[test]
fn outcomes_are_the_same_on_the_other_side() {
    let check = |outcome: &Outcome, expected: &str| {
        assert_eq!(there_and_back(outcome), *outcome);
        let text = serde_json::to_string(outcome).unwrap();
        assert!(text.starts_with(expected), "{text}");
    };
    check(&Outcome::Passed, "\"passed\"");
    check(&Outcome::Failed(trouble()), "{\"failed\":{");
    check(&Outcome::Broken(Trouble::default()), "{\"broken\":{");
    check(&Outcome::Crashed(Trouble::saying("Kernel panic - not syncing")), "{\"crashed\":{");
    check(&Outcome::NotMeasured("what is given is not so".to_owned()), "{\"not_measured\":");
    let skip = Skip { need: "kernel >= 6.7".to_owned(), reason: "the kernel is 6.1.0".to_owned() };
    check(&Outcome::Skipped(skip), "{\"skipped\":{");
}

#[test]
fn a_summary_is_the_same_on_the_other_side() {
    let mut summary = Summary { sandboxes: 3, controls: 1, ..Summary::default() };
    let skip = Skip { need: "root".to_owned(), reason: "the runner is uid 1000".to_owned() };
    for outcome in [Outcome::Passed, Outcome::Skipped(skip), Outcome::Crashed(Trouble::default())] {
        summary.count(&outcome, &["all".to_owned()]);
    }
    assert_eq!(there_and_back(&summary), summary);
}

#[test]
fn observations_are_the_same_on_the_other_side() {
    let query = |fact: &str, argument: &str| Query { fact: fact.to_owned(), argument: argument.to_owned() };
    let reading = |value| Ok(Reading { value, raw: "Pid:\t1\n\u{1b}".to_owned() });
    let mut observed = Observations::default();
    let inside = View::Inside("inside".to_owned());
    observed.insert(inside.clone(), query("files", "/a \"b\"\n"), reading(json!({ "mode": "0755" })));
    observed.insert(View::Host, query("files", "/a \"b\"\n"), Err(Unobserved::because("ENOENT")));
    observed.insert(
        View::Beginning(Box::new(View::Outside("x".to_owned()))),
        query("pid", ""),
        reading(json!(-1)),
    );
    let refused = Unobserved { reason: "EPERM".to_owned(), refused: true };
    observed.insert(View::Control("inside".to_owned()), query("attempts.mount", "tmpfs"), Err(refused));
    observed.insert_sandbox("inside".to_owned(), reading(json!({ "pid": 4_026_531_836_u64 })));
    let arrived = there_and_back(&observed);
    assert_eq!(format!("{arrived:?}"), format!("{observed:?}"));
    assert_eq!(
        arrived.get(&inside, &query("files", "/a \"b\"\n")),
        observed.get(&inside, &query("files", "/a \"b\"\n"))
    );
    assert_eq!(
        serde_json::to_string(&there_and_back(&Observations::default())).unwrap(),
        r#"{"answers":[],"sandboxes":{}}"#
    );
}

#[test]
fn an_answer_that_is_given_twice_is_refused() {
    let one = json!(["Host", { "fact": "pid", "argument": "" }, { "Err": { "reason": "no" } }]);
    let sent =
        |answers| serde_json::from_value::<Observations>(json!({ "answers": answers, "sandboxes": {} }));
    assert!(sent(vec![one.clone()]).is_ok());
    assert!(sent(vec![one.clone(), one]).unwrap_err().to_string().contains("twice"));
}
