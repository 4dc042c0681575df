//! JSON lines: one object for each test, one for the run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::output::Output;
use crate::engine::{Ended, Event, Listener, Outcome, Trouble};
use crate::plan::Test;

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
    spec: Option<Place<'a>>,
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
        let line = match event {
            Event::Started { .. } => return,
            Event::Ended { entry, test, outcome, took, .. } => {
                Line::Test(line(&entry.name, *test, outcome, took.as_millis()))
            }
            Event::Finished { summary, took } => Line::Summary(SummaryLine {
                counts: &summary.counts,
                reasons: &summary.reasons,
                required: summary.required,
                sandboxes: summary.sandboxes,
                controls: summary.controls,
                milliseconds: took.as_millis(),
            }),
        };
        if let Ok(text) = serde_json::to_string(&line) {
            self.output.line(&text);
        }
    }

    fn lost(&self) -> Option<&std::io::Error> {
        self.output.lost()
    }
}

/// Where a test comes from.
#[derive(Serialize)]
struct Place<'a> {
    file: String,
    line: usize,
    scenario: &'a str,
    claim: &'a str,
    runtime: &'a str,
}

fn place(test: &Test) -> Place<'_> {
    Place {
        file: test.claim().source.path.display().to_string(),
        line: test.claim().at.line,
        scenario: &test.scenario().name,
        claim: &test.claim().name,
        runtime: test.runtime.name(),
    }
}

fn line<'a>(name: &'a str, test: Option<&'a Test>, outcome: &'a Outcome, milliseconds: u128) -> TestLine<'a> {
    let (need, reason) = match outcome {
        Outcome::Skipped(skip) => (Some(skip.need.as_str()), Some(skip.reason.as_str())),
        Outcome::NotMeasured(reason) => (None, Some(reason.as_str())),
        _ => (None, None),
    };
    TestLine {
        name,
        spec: test.map(place),
        outcome: outcome.ended(),
        milliseconds,
        need,
        reason,
        trouble: outcome.trouble(),
    }
}
