//! What a scenario is told of its kernel.

use crate::engine::date;
use crate::engine::{Outcome, Trouble};
use crate::vm::kernel::AllowedMessage;
use crate::vm::log::complaints;

/// What became of a test in whose scenario the kernel complained: what held did not count, since the kernel was not itself.
pub(super) fn complained(outcome: Outcome, complaint: Option<&String>) -> Outcome {
    match (outcome, complaint) {
        (Outcome::Passed | Outcome::NotMeasured(_), Some(complaint)) => Outcome::Failed(Trouble::saying(
            format!("the kernel complained while this scenario ran\n{complaint}"),
        )),
        (Outcome::Failed(mut trouble), Some(complaint)) => {
            let said = trouble.message.map(|message| format!("{message}\n")).unwrap_or_default();
            trouble.message = Some(format!("{said}and the kernel complained\n{complaint}"));
            Outcome::Failed(trouble)
        }
        (outcome, _) => outcome,
    }
}

/// What the kernel has complained of in this part of its console, and by what it was tainted; nothing if all is well.
pub(super) fn complaint(console: &str, tainted: (u64, u64), allowed: &[AllowedMessage]) -> Option<String> {
    let today = date::today();
    let allowed = |line: &str| allowed.iter().any(|message| message.reason(line, &today).is_some());
    let found = complaints(console, true, &allowed);
    let mut parts: Vec<String> = found
        .iter()
        .map(|complaint| {
            format!("{}\nfingerprint {}\n{}", complaint.title, complaint.fingerprint, complaint.text)
        })
        .collect();
    let (before, after) = tainted;
    if after & !before != 0 && parts.is_empty() {
        parts.push(format!("it was tainted {before:#x} before, and {after:#x} after\n{console}"));
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}
