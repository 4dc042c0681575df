//! `same_as`, `differs_from`, `unchanged`, `denied`, `out_of_reach`, `allowed`, `fails`: what carries isolation.

use crate::expect::check::{Check, Miss, Scene};
use crate::expect::describe::{describe_matching, describe_view, show};
use crate::expect::evaluate::evaluate;
use crate::expect::expectation::{Argument, Matching};
use crate::fact::{Kind, Outcome, Value, View};
use crate::sys::errno_name;

use super::logic::{equal, nothing_to_compare};

/// The errnos with which policy refuses: the permission errors, a read-only mount, and ENOSYS, which is what seccomp filters of
/// container runtimes answer for unknown system calls.
pub const REFUSALS: [&str; 4] = ["EPERM", "EACCES", "EROFS", "ENOSYS"];

/// The signal with which a seccomp filter kills, seccomp(2).
const SECCOMP_KILL: &str = "SIGSYS";

pub(in crate::expect) fn same_as(
    matching: &Matching,
    kind: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    against(matching, scene, |view, other| {
        Check::from(equal(kind, value, &other), || {
            let expected = format!("the same as {} ({})", describe_view(view), show(&other));
            Miss::new(matching.at, expected, value)
        })
    })
}

pub(in crate::expect) fn differs_from(
    matching: &Matching,
    kind: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    against(matching, scene, |view, other| {
        Check::from(!equal(kind, value, &other), || {
            let view = describe_view(view);
            let label = format!("the same as {view}: {}", show(value));
            Miss::labelled(matching.at, label, format!("not the same as {view}"), Some(value))
        })
    })
}

pub(in crate::expect) fn unchanged(
    matching: &Matching,
    kind: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    let Some(view) = scene.view else { return nothing_to_compare(matching) };
    match scene.same_field(&View::Beginning(Box::new(view.clone()))) {
        Err(reason) => unobserved(matching, format!("no observation from the beginning: {reason}")),
        Ok(before) => Check::from(equal(kind, value, &before), || {
            Miss::new(matching.at, format!("{} as at the beginning", show(&before)), value)
        }),
    }
}

pub(in crate::expect) fn denied(matching: &Matching, _: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let Some(outcome) = outcome(value) else { return not_an_outcome(matching, value) };
    if !refuses(&matching.argument, &outcome) {
        return Check::Fails(vec![refusal_miss(matching, &outcome, value)]);
    }
    match control(&outcome, scene) {
        Err(reason) => unobserved(matching, reason),
        Ok(()) => Check::Holds,
    }
}

/// What nobody reaches is no bait.
pub(in crate::expect) fn out_of_reach(
    matching: &Matching,
    _: &Kind,
    value: &Value,
    scene: &Scene<'_>,
) -> Check {
    let Some(tried) = outcome(value) else { return not_an_outcome(matching, value) };
    if tried == Outcome::Allowed {
        let label = "expected it out of reach, but it was reached".to_owned();
        return Check::Fails(vec![Miss::labelled(
            matching.at,
            label,
            "out of reach".to_owned(),
            Some(value),
        )]);
    }
    match (scene.other)(&View::Host).map(|host| (outcome(&host), host)) {
        Ok((Some(Outcome::Allowed), _)) => Check::Holds,
        Ok((Some(other), _)) => {
            Check::NotMeasured(format!("the host does not reach it either: its attempt {}", ended(&other)))
        }
        Ok((None, host)) => not_an_outcome(matching, &host),
        Err(reason) => unobserved(matching, format!("no attempt of the host's: {reason}")),
    }
}

pub(in crate::expect) fn allowed(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let Some(outcome) = outcome(value) else { return not_an_outcome(matching, value) };
    Check::from(outcome == Outcome::Allowed, || {
        let label = format!("expected that it succeeds, but it {}", ended(&outcome));
        Miss::labelled(matching.at, label, "allowed".to_owned(), Some(value))
    })
}

pub(in crate::expect) fn fails(matching: &Matching, _: &Kind, value: &Value, _: &Scene<'_>) -> Check {
    let (Some(outcome), Argument::Errno(number)) = (outcome(value), &matching.argument) else {
        return not_an_outcome(matching, value);
    };
    let wanted = errno_name(*number);
    Check::from(outcome == Outcome::Failed(wanted.clone()), || {
        let label = format!("expected that it fails with {wanted}, but it {}", ended(&outcome));
        Miss::labelled(matching.at, label, format!("fails with {wanted}"), Some(value))
    })
}

pub(in crate::expect) fn gives(matching: &Matching, _: &Kind, value: &Value, scene: &Scene<'_>) -> Check {
    let (Some(outcome), Argument::Expectation(inner)) = (outcome(value), &matching.argument) else {
        return not_an_outcome(matching, value);
    };
    match outcome {
        Outcome::Gave(text) => evaluate(inner, &Kind::Text, &Value::from(text), scene),
        other => {
            let label = format!("expected a value, but it {}", ended(&other));
            Check::Fails(vec![Miss::labelled(matching.at, label, "a value".to_owned(), Some(value))])
        }
    }
}

/// The control must have succeeded where the attempt did not: otherwise the refusal says nothing of the restriction.
fn control(outcome: &Outcome, scene: &Scene<'_>) -> Result<(), String> {
    let Some(View::Inside(name)) = scene.view else { return Err("an attempt is made inside".to_owned()) };
    let answer =
        (scene.other)(&View::Control(name.clone())).map_err(|reason| format!("no control: {reason}"))?;
    match serde_json::from_value(answer.clone()) {
        Ok(Outcome::Allowed) => Ok(()),
        Ok(refused) => {
            Err(format!("the control {} as well; the attempt itself {}", ended(&refused), ended(outcome)))
        }
        Err(_) => Err(format!("the control's answer is not an outcome: {}", show(&answer))),
    }
}

fn refuses(wanted: &Argument, outcome: &Outcome) -> bool {
    match (wanted, outcome) {
        (Argument::Nothing, Outcome::Failed(errno)) => REFUSALS.contains(&errno.as_str()),
        (Argument::Errno(number), Outcome::Failed(errno)) => errno_name(*number) == *errno,
        (Argument::Nothing | Argument::KilledBySeccomp, Outcome::Killed(signal)) => signal == SECCOMP_KILL,
        _ => false,
    }
}

fn refusal_miss(matching: &Matching, outcome: &Outcome, value: &Value) -> Miss {
    let expected = describe_matching(matching);
    let label = match (&matching.argument, outcome) {
        (Argument::Nothing, Outcome::Failed(errno)) => {
            format!("expected a refusal, but it failed with {errno}, which is none")
        }
        _ => format!("expected {expected}, but it {}", ended(outcome)),
    };
    Miss::labelled(matching.at, label, expected, Some(value))
}

fn against(matching: &Matching, scene: &Scene<'_>, judge: impl Fn(&View, Value) -> Check) -> Check {
    let Argument::Views(views) = &matching.argument else { return nothing_to_compare(matching) };
    Check::all(views.iter().map(|view| match scene.same_field(view) {
        Err(reason) => {
            unobserved(matching, format!("nothing to compare with from {}: {reason}", describe_view(view)))
        }
        Ok(other) => judge(view, other),
    }))
}

fn unobserved(matching: &Matching, label: String) -> Check {
    Check::Broken(vec![Miss::labelled(matching.at, label, describe_matching(matching), None)])
}

fn not_an_outcome(matching: &Matching, value: &Value) -> Check {
    unobserved(matching, format!("the answer is not the outcome of an attempt: {}", show(value)))
}

fn outcome(value: &Value) -> Option<Outcome> {
    serde_json::from_value(value.clone()).ok()
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allowed => "succeeded".to_owned(),
        Outcome::Failed(errno) => format!("failed with {errno}"),
        Outcome::Gave(value) => format!("gave {value:?}"),
        Outcome::Killed(signal) => format!("was ended by {signal}"),
    }
}
