//! What a sandbox's runtime says of it, held against what the host sees.

use std::fmt::Debug;
use std::fs;

use serde_json::{Map, Value};

use super::evidence::reading;
use super::vantage::FROM_OUTSIDE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

/// Who can be asked what the runtime says.
pub trait Reporter: Send + Sync + Debug {
    /// The report of this name.
    ///
    /// # Errors
    /// There is none of this name, or the runtime did not answer.
    fn report(&self, name: &str) -> Result<Report, String>;
}

/// What a runtime says of a sandbox.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// All of it, as it was printed.
    pub text: String,
    /// The PID of the first process.
    pub pid: Option<i64>,
    /// The status, in the runtime's own words.
    pub status: Option<String>,
    /// The exit code.
    pub exit_code: Option<i64>,
    /// The paths of the namespaces, by the names that they have in `/proc/PID/ns`.
    pub namespaces: Vec<(String, String)>,
}

/// `reports`
pub(super) const REPORTS: Fact = Fact {
    name: "reports",
    argument: Some("NAME"),
    kind: Kind::Record(&[
        Field { name: "text", kind: Kind::Text, brief: "All of it, as the runtime printed it." },
        Field {
            name: "status",
            kind: Kind::Text,
            brief: "The status, in the runtime's own words: `running`.",
        },
        Field { name: "pid", kind: Kind::Int, brief: "The PID of the first process; 0 where it has ended." },
        Field {
            name: "pid_agrees",
            kind: Kind::Bool,
            brief: "Whether that is the PID of the process that the host found; of one that has ended, whether none is named.",
        },
        Field {
            name: "exit_code",
            kind: Kind::Int,
            brief: "The exit code; 137 for a process that SIGKILL ended.",
        },
        Field {
            name: "namespaces_agree",
            kind: Kind::Set(&Kind::Text),
            brief: "The namespaces, as /proc/PID/ns names them, whose path leads to that of the process that the host found.",
        },
    ]),
    views: FROM_OUTSIDE,
    brief: "What the runtime itself says of the sandbox.",
    long: "By the name of the report: `nursery` of native, `state` and `file` (state.json) of OCI runtimes, `inspect` of docker and podman; \
           `airtight runtime show` lists them. What the runtime says is held against the process that the host has found by the \
           agent's token, never trusted. What a report does not have is not observed.",
    example: "reports: { nursery: { status: running, pid_agrees: true } }",
    observe: |subject, name| {
        let reporter =
            subject.reporter().ok_or_else(|| Unobserved::because("nobody reports of this process"))?;
        let report = reporter.report(name).map_err(Unobserved::because)?;
        Ok(held_against(&report, subject))
    },
    relate: None,
    same_outside: false,
};

fn held_against(report: &Report, subject: &Subject) -> Reading {
    let mut value = Map::new();
    let mut put = |name: &str, found: Option<Value>| found.map(|found| value.insert(name.to_owned(), found));
    put("text", Some(Value::from(report.text.as_str())));
    put("status", report.status.as_deref().map(Value::from));
    put("pid", report.pid.map(Value::from));
    put("pid_agrees", report.pid.map(|pid| Value::from(pid == true_pid(subject))));
    put("exit_code", report.exit_code.map(Value::from));
    let agree = report.namespaces.iter().filter(|(name, path)| leads_to(path, name, subject));
    let agree: Vec<&str> = agree.map(|(name, _)| name.as_str()).collect();
    put("namespaces_agree", (!report.namespaces.is_empty()).then(|| Value::from(agree)));
    reading(Value::Object(value), report.text.as_str())
}

fn true_pid(subject: &Subject) -> i64 {
    if subject.ended().is_some() { 0 } else { subject.pid().map_or(0, i64::from) }
}

fn leads_to(path: &str, name: &str, subject: &Subject) -> bool {
    let own = fs::read_link(subject.proc_file(format!("ns/{name}")));
    own.is_ok_and(|own| fs::read_link(path).is_ok_and(|named| named == own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Ended;

    fn own() -> Subject {
        Subject::other(i32::try_from(std::process::id()).unwrap(), None)
    }

    #[test]
    fn a_pid_agrees_with_the_process_or_with_its_end() {
        let check = |pid: i64, subject: &Subject, expected: bool| {
            let report = Report { pid: Some(pid), ..Report::default() };
            assert_eq!(held_against(&report, subject).value["pid_agrees"], expected, "{pid}");
        };
        let pid = i64::from(std::process::id());
        check(pid, &own(), true);
        check(pid + 1, &own(), false);
        check(0, &own(), false);
        check(0, &Subject::other(1, Some(Ended::Signaled(9))), true);
        check(1, &Subject::other(1, Some(Ended::Signaled(9))), false);
    }

    #[test]
    fn namespaces_agree_where_their_paths_lead_to_the_same() {
        let of = |name: &str, path: &str| (name.to_owned(), path.to_owned());
        let namespaces =
            vec![of("net", "/proc/self/ns/net"), of("pid", "/proc/self/ns/net"), of("uts", "/no/such")];
        let report = Report { namespaces, ..Report::default() };
        assert_eq!(held_against(&report, &own()).value["namespaces_agree"], serde_json::json!(["net"]));
    }

    #[test]
    fn what_is_not_reported_is_not_there() {
        let value = held_against(&Report::default(), &own()).value;
        assert_eq!(value, serde_json::json!({ "text": "" }));
    }
}
