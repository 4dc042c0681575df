//! For people: each claim in the order of the specs, then the numbers, then the evidence.

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::{output::Output, progress::Progress, trouble};
use crate::engine::{Ended, Event, Listener, Outcome, Summary};
use crate::plan::{Entry, Plan, Test};

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

/// The claim, with its row, and the runtime where it is not the built-in one.
fn sentence(test: &Test) -> String {
    let row = &test.claim().row;
    let row = if row.is_empty() { String::new() } else { format!(" ({row})") };
    let runtime = test.runtime.name();
    let runtime = if runtime == "native" { String::new() } else { format!(" [{runtime}]") };
    format!("{}{row}{runtime}", test.claim().name)
}

fn style(outcome: &Outcome, required: &[String]) -> Style {
    let color = match outcome {
        Outcome::Passed => AnsiColor::Green,
        Outcome::Skipped(skip) if skip.is_required(required) => AnsiColor::Red,
        Outcome::Skipped(_) | Outcome::NotMeasured(_) => AnsiColor::Yellow,
        Outcome::Failed(_) | Outcome::Broken(_) => AnsiColor::Red,
    };
    color.on_default()
}

/// The numbers of a run, line by line; `quiet` says that nothing is red.
pub(super) fn closing(summary: &Summary, took: Duration, quiet: bool) -> Vec<String> {
    let mut lines = vec![format!("\n{}", totals(summary, took))];
    lines.extend(summary.reasons.iter().map(|(reason, count)| format!("  {count:>4} × {reason}")));
    if summary.required > 0 {
        lines.push(format!("{} of the skipped claims were required to be measured", summary.required));
    } else if summary.measured() == 0 && quiet {
        lines.push("nothing was measured".to_owned());
    }
    lines
}

fn totals(summary: &Summary, took: Duration) -> String {
    let all: usize = Ended::ALL.iter().map(|ended| summary.of(*ended)).sum();
    let counts: Vec<String> =
        Ended::ALL.iter().map(|ended| format!("{} {}", summary.of(*ended), ended.word())).collect();
    let claims = if all == 1 { "claim" } else { "claims" };
    format!("{all} {claims}: {}; {:.2} s", counts.join(", "), took.as_secs_f64())
}
