//! The same fact from every viewpoint from which it was observed.

use serde::{Deserialize, Serialize};

use crate::expect::describe_view;
use crate::fact::{Query, Value, View};
use crate::spec::{Asked, Expected, Seen};

use super::observations::Observations;
use super::queries::query;

/// What was seen from one viewpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The viewpoint as a spec names it: `outside`.
    pub view: String,
    /// The fact with its fields: `namespaces.pid`.
    pub fact: String,
    /// What was observed; `None` if nothing was.
    pub value: Option<Value>,
    /// A remark: `the same`, or why nothing was observed.
    pub note: String,
}

/// What was observed of each fact that something is expected of, from the viewpoint of the expectation: what stands behind a claim that
/// holds. Left out is what was not looked at, or of which the last look is another's.
pub fn readings<'a>(seen: impl IntoIterator<Item = &'a Seen>, observations: &Observations) -> Vec<Evidence> {
    let facts = seen.into_iter().flat_map(|seen| seen.facts.iter().map(move |fact| (&seen.view, fact)));
    let mut all: Vec<Evidence> = Vec::new();
    for reading in facts.filter_map(|(view, expected)| reading(view, expected, observations)) {
        if !all.contains(&reading) {
            all.push(reading);
        }
    }
    all
}

fn reading(view: &View, expected: &Expected, observations: &Observations) -> Option<Evidence> {
    let query = query(expected);
    observations.get(view, &query)?;
    let (value, note) = match observations.value(&expected.subject, &query, view) {
        Ok(value) => (Some(value), String::new()),
        Err(unobserved) => (None, unobserved.reason),
    };
    Some(Evidence { view: describe_view(view), fact: name(&query), value, note })
}

/// What was seen of a query from every viewpoint, narrowed to the field that was judged.
pub(super) fn evidence(
    asked: &Asked,
    query: &Query,
    path: &[String],
    from: &View,
    observations: &Observations,
) -> Vec<Evidence> {
    let fact = [name(query), path.join(".")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".");
    let own = observations.value(asked, query, from).ok().and_then(|value| narrowed(value, path));
    let line = |view: &View| {
        let (value, note) = match observations.value(asked, query, view) {
            Ok(value) => (narrowed(value, path), String::new()),
            Err(unobserved) => (None, unobserved.reason),
        };
        let same = view != from && value.is_some() && value == own;
        let note = if same { "the same".to_owned() } else { note };
        Evidence { view: describe_view(view), fact: fact.clone(), value, note }
    };
    observations.all(query).map(|(view, _)| line(view)).collect()
}

/// The words of a query: `files /etc/os-release`.
pub(super) fn name(query: &Query) -> String {
    if query.argument.is_empty() { query.fact.clone() } else { format!("{} {}", query.fact, query.argument) }
}

fn narrowed(value: Value, path: &[String]) -> Option<Value> {
    path.iter().try_fold(value, |value, name| value.get(name).cloned())
}
