//! Expectations and observations to a verdict.

use serde::{Deserialize, Serialize};

use crate::expect::{Check, Expectation, Miss, Scene, Span, describe, evaluate};
use crate::fact::{Ended, Kind, Query, Unobserved, Value, View};
use crate::spec::{Asked, Command, EXIT, Expected, OUTPUT, SIGNAL, Seen};
use crate::sys::signal_name;

use super::evidence::{Evidence, evidence, name};
use super::hint::hint;
use super::observations::Observations;
use super::queries::query;

/// What became of a claim's expectations. There is no verdict by default.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was observed, and holds.
    Held,
    /// Something was observed and does not hold. What could not be observed besides comes after it.
    Failed(Vec<Finding>),
    /// Something could not be observed.
    Broken(Vec<Finding>),
    /// What was observed says nothing here, for this reason.
    NotMeasured(String),
}

/// One reason for a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Where the expectation stands in the claim's source.
    pub at: Span,
    /// The text for the frame: `expected 1, observed 48211`.
    pub label: String,
    /// The fact with its argument: `files /etc/os-release`; for a command `exit`, `stdout` and so on.
    pub fact: String,
    /// What was expected, in words.
    pub expected: String,
    /// What was observed; `None` if nothing was.
    pub actual: Option<Value>,
    /// For a list: what is missing from it.
    pub missing: Vec<Value>,
    /// For a list: what is in it besides.
    pub extra: Vec<Value>,
    /// For a text of several lines: expected and observed as a unified diff.
    pub diff: Option<String>,
    /// The same fact from every viewpoint from which it was observed.
    pub evidence: Vec<Evidence>,
    /// The likely cause, where the pattern is known.
    pub hint: Option<String>,
}

/// Judges what is expected from viewpoints. All of it must hold; what was not observed is broken, never passed.
pub fn judge(seen: &[Seen], observations: &Observations) -> Verdict {
    let facts = seen.iter().flat_map(|seen| seen.facts.iter().map(move |fact| (&seen.view, fact)));
    Verdict::of(facts.map(|(view, expected)| judge_fact(view, expected, observations)))
}

/// Judges a value that is no fact: what a command gave. `name` is its name in findings.
pub fn judge_value(name: &str, expectation: &Expectation, kind: &Kind, value: &Value) -> Verdict {
    let other = |_: &View| Err(Unobserved::because("a command has no other viewpoint"));
    let scene = Scene { view: None, other: &other, path: &[], named: &[] };
    let check = evaluate(expectation, kind, value, &scene);
    Verdict::from_check(check, |miss| Finding::new(name.to_owned(), miss))
}

/// Judges how a command ended and what it wrote; its output without one trailing newline.
pub fn judge_command(command: &Command, ended: Ended, stdout: &str, stderr: &str) -> Verdict {
    let text = |text: &str| Value::from(text.strip_suffix('\n').unwrap_or(text));
    let held = |name, expectation: &Option<Expectation>, kind, value: Value| {
        expectation.as_ref().map_or(Verdict::Held, |expectation| judge_value(name, expectation, kind, &value))
    };
    Verdict::of([
        judge_end(command, ended),
        held("stdout", &command.stdout, &OUTPUT, text(stdout)),
        held("stderr", &command.stderr, &OUTPUT, text(stderr)),
    ])
}

/// A command that a signal ended has no exit status, and one that exited no signal: whatever is expected of what there is
/// not, it does not hold.
fn judge_end(command: &Command, ended: Ended) -> Verdict {
    let judged = |name, expectation: &Option<Expectation>, kind, value: Result<Value, String>| match (
        expectation,
        value,
    ) {
        (None, _) => Verdict::Held,
        (Some(expectation), Ok(value)) => judge_value(name, expectation, kind, &value),
        (Some(expectation), Err(what)) => {
            let wanted = describe(expectation);
            let label = format!("expected {name} {wanted}, but the command {what}");
            Verdict::Failed(vec![Finding::new(
                name.to_owned(),
                Miss::labelled(expectation.at, label, wanted, None),
            )])
        }
    };
    let (status, signal) = match ended {
        Ended::Exited(status) => (Ok(Value::from(status)), Err(format!("exited with {status}"))),
        Ended::Signaled(number) => {
            let name = signal_name(number);
            (Err(format!("was ended by {name}")), Ok(Value::from(name)))
        }
    };
    let exit = judged("exit", &command.exit, &EXIT, status);
    Verdict::of([exit, judged("signal", &command.signal, &SIGNAL, signal)])
}

fn judge_fact(view: &View, expected: &Expected, observations: &Observations) -> Verdict {
    let query = query(expected);
    let asked = &expected.subject;
    let kind = match asked {
        Asked::Fact(fact) => fact.kind,
        Asked::Attempt(_) => Kind::Attempt,
    };
    let value = match observations.value(asked, &query, view) {
        Ok(value) => value,
        Err(unseen) => return unobserved(&query, view, expected, &unseen.reason, observations),
    };
    let other = |view: &View| observations.value(asked, &query, view);
    let scene = Scene { view: Some(view), other: &other, path: &[], named: &[] };
    let check = evaluate(&expected.expectation, &kind, &value, &scene);
    // The elements of a list have no names by which a diff could tell them apart.
    let named = !kind.fields().is_empty();
    let check = if named && (kind.is_deep() || check.has_several()) { check.in_one() } else { check };
    Verdict::from_check(check, |miss| Finding::of_fact(asked, &query, view, miss, observations))
}

fn unobserved(
    query: &Query,
    view: &View,
    expected: &Expected,
    reason: &str,
    observations: &Observations,
) -> Verdict {
    let label = format!("could not be observed: {reason}");
    let wanted = describe(&expected.expectation);
    let miss = Miss::labelled(expected.at, label, wanted, None);
    Verdict::Broken(vec![Finding::of_fact(&expected.subject, query, view, miss, observations)])
}

impl Finding {
    fn new(fact: String, miss: Miss) -> Self {
        let Miss { at, label, expected, actual, missing, extra, diff, .. } = miss;
        Self { at, label, fact, expected, actual, missing, extra, diff, evidence: Vec::new(), hint: None }
    }

    fn of_fact(asked: &Asked, query: &Query, view: &View, miss: Miss, observations: &Observations) -> Self {
        let hint = hint(query, view, &miss, observations);
        // Where several fields differ their diff is the evidence: the whole from each viewpoint would bury it.
        let evidence = if miss.is_several() {
            Vec::new()
        } else {
            evidence(asked, query, &miss.path, view, observations)
        };
        Self { evidence, hint, ..Self::new(name(query), miss) }
    }
}

impl Verdict {
    /// The verdict over several, of which all must hold: one failure is a failure, whatever could not be observed besides.
    pub fn of(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let (mut failed, mut broken, mut unmeasured) = (Vec::new(), Vec::new(), None);
        for verdict in verdicts {
            match verdict {
                Self::Held => {}
                Self::Failed(findings) => failed.extend(findings),
                Self::Broken(findings) => broken.extend(findings),
                Self::NotMeasured(reason) => unmeasured = unmeasured.or(Some(reason)),
            }
        }
        if !failed.is_empty() {
            failed.append(&mut broken);
            Self::Failed(failed)
        } else if !broken.is_empty() {
            Self::Broken(broken)
        } else {
            unmeasured.map_or(Self::Held, Self::NotMeasured)
        }
    }

    fn from_check(check: Check, finding: impl Fn(Miss) -> Finding) -> Self {
        let findings = |misses: Vec<Miss>| misses.into_iter().map(&finding).collect();
        match check {
            Check::Holds => Self::Held,
            Check::Fails(misses) => Self::Failed(findings(misses)),
            Check::Broken(misses) => Self::Broken(findings(misses)),
            Check::NotMeasured(reason) => Self::NotMeasured(reason),
        }
    }
}
