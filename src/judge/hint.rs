//! Known patterns of failure, each with one sentence on its likely cause.

use crate::expect::Miss;
use crate::fact::{Query, View};

use super::observations::Observations;

/// The sentence for a failure whose pattern is known.
pub(super) fn hint(query: &Query, view: &View, miss: &Miss, observations: &Observations) -> Option<String> {
    match query.fact.as_str() {
        "namespaces" => namespace(miss),
        "pid" => pid(view, miss, observations),
        "hostname" if miss.label.starts_with("the same as host") => Some(made_none("uts")),
        fact if fact.starts_with("attempts.") && miss.label.starts_with("the control") => Some(
            "the attempt is refused even where nothing restricts it: it may need root, or a newer kernel"
                .to_owned(),
        ),
        _ => None,
    }
}

/// A kind that should be the sandbox's own and is the host's.
fn namespace(miss: &Miss) -> Option<String> {
    let kind = match miss.path.first().map(String::as_str) {
        Some("own") => miss.missing.first()?.as_str()?,
        Some("shared") => miss.extra.first()?.as_str()?,
        Some(kind) if miss.label.starts_with("the same as host") => kind,
        _ => return None,
    };
    Some(format!("the same inode: {}", made_none(kind)))
}

/// A first process whose PID is not 1, although its namespace could be its own.
fn pid(view: &View, miss: &Miss, observations: &Observations) -> Option<String> {
    let View::Inside(name) = view else { return None };
    if miss.expected != "1" {
        return None;
    }
    let query = Query { fact: "nspid".to_owned(), argument: String::new() };
    let levels = match observations.get(&View::Outside(name.clone()), &query)? {
        Ok(reading) => reading.value.as_array().map(Vec::len)?,
        Err(_) => return None,
    };
    Some(match levels {
        1 => format!("NSpid has one level: {}", made_none("pid")),
        _ => "it is in a PID namespace of its own, but not the first process there".to_owned(),
    })
}

fn made_none(kind: &str) -> String {
    let kind = match kind {
        "pid" | "uts" | "ipc" => kind.to_uppercase(),
        "net" => "network".to_owned(),
        other => other.to_owned(),
    };
    format!("the runtime made no {kind} namespace")
}
