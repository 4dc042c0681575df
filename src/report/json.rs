//! JSON lines: one object for each test, one for the run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::matrix::{About, Cell, Row, about};
use super::output::Output;
use crate::engine::{Ended, Event, Listener, Outcome, Summary, Trouble};
use crate::plan::Column;

/// Writes events to standard output, a line each.
#[derive(Debug, Default)]
pub struct Json {
    output: Output,
}

/// A line. `type` says which it is.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Test(TestLine<'a>),
    Summary(SummaryLine<'a>),
}

/// The run in numbers: see [`crate::engine::Summary`].
#[derive(Serialize)]
struct SummaryLine<'a> {
    counts: &'a BTreeMap<Ended, usize>,
    reasons: &'a BTreeMap<String, usize>,
    required: usize,
    sandboxes: usize,
    controls: usize,
    milliseconds: u128,
}

#[derive(Serialize)]
struct TestLine<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<Place>,
    outcome: Ended,
    milliseconds: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    need: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a Trouble>,
}

impl Listener for Json {
    fn hear(&mut self, event: &Event<'_>) {
        let text = match event {
            Event::Started { .. } | Event::Begun { .. } => return,
            Event::Ended { entry, test, outcome, took, .. } => {
                let about = test.map(about);
                written(&Line::Test(TestLine {
                    name: &entry.name,
                    spec: about.as_ref().map(|about| place(about, &entry.column())),
                    outcome: outcome.ended(),
                    milliseconds: took.as_millis(),
                    need: need(outcome).0,
                    reason: need(outcome).1,
                    trouble: outcome.trouble(),
                }))
            }
            Event::Finished { summary, took } => self::summary(summary, *took),
        };
        self.output.line(&text);
    }

    fn lost(&self) -> Option<&std::io::Error> {
        self.output.lost()
    }
}

/// The line of a claim in a column.
pub(super) fn test(row: &Row, column: &Column, cell: &Cell) -> String {
    written(&Line::Test(TestLine {
        name: &format!("{} [{}]", row.name, column.name),
        spec: row.about.as_ref().map(|about| place(about, column)),
        outcome: cell.mark.ended(),
        milliseconds: cell.took.as_millis(),
        need: cell.need.as_deref(),
        reason: cell.measured(),
        trouble: cell.trouble.as_ref(),
    }))
}

/// The line of a run.
pub(super) fn summary(summary: &Summary, took: Duration) -> String {
    written(&Line::Summary(SummaryLine {
        counts: &summary.counts,
        reasons: &summary.reasons,
        required: summary.required,
        sandboxes: summary.sandboxes,
        controls: summary.controls,
        milliseconds: took.as_millis(),
    }))
}

/// Texts and numbers: nothing in it can fail to be written.
fn written(line: &Line<'_>) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

/// Where a test comes from; scenario and claim with their rows.
#[derive(Serialize)]
struct Place {
    file: String,
    line: usize,
    scenario: String,
    claim: String,
    runtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
}

fn place(about: &About, column: &Column) -> Place {
    Place {
        file: about.file.clone(),
        line: about.line,
        scenario: about.scenario.clone(),
        claim: about.claim.clone(),
        runtime: column.runtime.clone(),
        kernel: column.kernel.clone(),
    }
}

/// The need that is not met, and what was measured instead.
fn need(outcome: &Outcome) -> (Option<&str>, Option<&str>) {
    match outcome {
        Outcome::Skipped(skip) => (Some(skip.need.as_str()), Some(skip.reason.as_str())),
        Outcome::NotMeasured(reason) => (None, Some(reason.as_str())),
        _ => (None, None),
    }
}
