//! For people: each claim in the order of the specs, then the numbers, then the evidence.

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::visible::in_one_line;
use super::{output::Output, progress::Progress, trouble};
use crate::engine::{Ended, Event, Listener, Outcome, Summary};
use crate::plan::{Column, Entry, Plan, Test};

/// Tells a run on standard output, with a progress line on a terminal's standard error.
#[derive(Debug)]
pub struct Pretty {
    required: Vec<String>,
    /// The place in the plan of each test that has not ended.
    places: HashMap<String, usize>,
    /// Lines of tests that have ended before an earlier one.
    waiting: BTreeMap<usize, Line>,
    next: usize,
    scenario: String,
    /// What is red, by its place in the plan.
    evidence: BTreeMap<usize, String>,
    progress: Progress,
    output: Output,
}

/// What is told of a test once it is its turn.
#[derive(Debug)]
struct Line {
    scenario: String,
    text: String,
}

impl Pretty {
    /// For this plan. `required` are the needs that must be met.
    pub fn new(plan: &Plan, required: Vec<String>) -> Self {
        let places =
            plan.entries.iter().enumerate().map(|(place, entry)| (entry.name.clone(), place)).collect();
        Self {
            required,
            places,
            waiting: BTreeMap::new(),
            next: 0,
            scenario: String::new(),
            evidence: BTreeMap::new(),
            progress: Progress::new(plan.entries.len()),
            output: Output::default(),
        }
    }

    fn end(&mut self, entry: &Entry, test: Option<&Test>, outcome: &Outcome) {
        let place = self.places.remove(&entry.name).unwrap_or(0);
        self.progress.count();
        if let Some(trouble) = outcome.trouble() {
            let color = std::io::stdout().is_terminal();
            let text = trouble::of_entry(entry, test, outcome.ended(), trouble, color);
            self.evidence.insert(place, text);
        }
        let scenario = test.map(heading).unwrap_or_default();
        let text = line(entry, test, outcome, &self.required);
        self.waiting.insert(place, Line { scenario, text });
        self.progress.clear();
        while let Some(line) = self.waiting.remove(&self.next) {
            self.tell(&line);
            self.next += 1;
        }
        self.progress.show();
    }

    fn tell(&mut self, line: &Line) {
        if line.scenario != self.scenario {
            let gap = if self.scenario.is_empty() { "" } else { "\n" };
            self.output.line(&format!("{gap}{}", line.scenario));
            self.scenario.clone_from(&line.scenario);
        }
        self.output.line(&line.text);
    }

    fn finish(&mut self, summary: &Summary, took: Duration) {
        for line in closing(summary, took, self.evidence.is_empty()) {
            self.output.line(&line);
        }
        for block in self.evidence.values() {
            self.output.line(&format!("\n{block}"));
        }
    }
}

impl Listener for Pretty {
    fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { .. } => self.progress.show(),
            Event::Begun { .. } => {}
            Event::Ended { entry, test, outcome, .. } => self.end(entry, *test, outcome),
            Event::Finished { summary, took } => self.finish(summary, *took),
        }
    }

    fn lost(&self) -> Option<&std::io::Error> {
        self.output.lost()
    }
}

fn heading(test: &Test) -> String {
    let row = &test.scenario().row;
    let row = if row.is_empty() { String::new() } else { format!(" ({row})") };
    format!("{}  {}{row}", test.spec.path.display(), test.scenario().name)
}

fn line(entry: &Entry, test: Option<&Test>, outcome: &Outcome, required: &[String]) -> String {
    let style = style(outcome, required);
    let word = outcome.ended().word();
    let sentence = test.map_or_else(|| entry.name.clone(), sentence);
    let reason = match outcome {
        Outcome::Skipped(skip) => format!(": {}: {}", skip.need, skip.reason),
        Outcome::NotMeasured(reason) => format!(": {reason}"),
        _ => String::new(),
    };
    format!("  {style}{word:<12}{style:#} {sentence}{reason}")
}

/// The claim, with its row, and where it was judged.
fn sentence(test: &Test) -> String {
    let row = &test.claim().row;
    let row = if row.is_empty() { String::new() } else { format!(" ({row})") };
    format!("{}{row}{}", test.claim().name, told_on(&test.column()))
}

/// Where a claim was judged, unless that is the built-in runtime on the machine itself.
pub(super) fn told_on(column: &Column) -> String {
    if column.name == "native" { String::new() } else { format!(" [{}]", in_one_line(&column.name)) }
}

fn style(outcome: &Outcome, required: &[String]) -> Style {
    let color = match outcome {
        Outcome::Passed => AnsiColor::Green,
        Outcome::Skipped(skip) if skip.is_required(required) => AnsiColor::Red,
        Outcome::Skipped(_) | Outcome::NotMeasured(_) => AnsiColor::Yellow,
        Outcome::Failed(_) | Outcome::Broken(_) | Outcome::Crashed(_) => AnsiColor::Red,
    };
    color.on_default()
}

/// The numbers of a run, line by line; `quiet` says that nothing is red.
pub(super) fn closing(summary: &Summary, took: Duration, quiet: bool) -> Vec<String> {
    let mut lines = vec![format!("\n{}", totals(summary, took))];
    lines.extend(
        summary.reasons.iter().map(|(reason, count)| format!("  {count:>4} × {}", in_one_line(reason))),
    );
    if summary.required > 0 {
        lines.push(format!("{} of the skipped claims were required to be measured", summary.required));
    } else if summary.measured() == 0 && quiet {
        lines.push("nothing was measured".to_owned());
    }
    lines
}

fn totals(summary: &Summary, took: Duration) -> String {
    let all: usize = Ended::ALL.iter().map(|ended| summary.of(*ended)).sum();
    // A kernel that crashes is rare enough to be told only where one did.
    let told = Ended::ALL.iter().filter(|ended| **ended != Ended::Crashed || summary.of(**ended) > 0);
    let counts: Vec<String> = told.map(|ended| format!("{} {}", summary.of(*ended), ended.word())).collect();
    let claims = if all == 1 { "claim" } else { "claims" };
    format!("{all} {claims}: {}; {:.2} s", counts.join(", "), took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Trouble;

    #[test]
    fn a_crash_is_counted_only_where_there_is_one() {
        let check = |outcomes: &[Outcome], expected: &str| {
            let mut summary = Summary::default();
            for outcome in outcomes {
                summary.count(outcome, &[]);
            }
            assert_eq!(totals(&summary, Duration::from_millis(1500)), expected);
        };
        check(&[Outcome::Passed], "1 claim: 1 passed, 0 failed, 0 broken, 0 skipped, 0 not measured; 1.50 s");
        let crashed = Outcome::Crashed(Trouble::default());
        check(
            &[Outcome::Passed, crashed],
            "2 claims: 1 passed, 0 failed, 1 crashed, 0 broken, 0 skipped, 0 not measured; 1.50 s",
        );
    }
}
