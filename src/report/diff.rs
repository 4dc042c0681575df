//! Where two runtimes differ, told once the run is over.

use serde::Serialize;

use super::matrix::{About, Cell, Difference, Differences, Gather, Mark, Matrix, marked};
use super::output::Output;
use super::progress::Progress;
use crate::engine::{Event, Listener, Trouble};
use crate::judge::Evidence;
use crate::plan::{Column, Plan};

/// Listens to a run on two runtimes, and tells on standard output where they differ.
#[derive(Debug)]
pub struct Diff {
    gather: Gather,
    matrix: Option<Matrix>,
    json: bool,
    progress: Progress,
    output: Output,
}

impl Diff {
    /// For this plan on these two; as `json`, or for people.
    pub fn new(plan: &Plan, runtimes: [&str; 2], json: bool) -> Self {
        let columns = runtimes.map(|name| Column::new(name, None));
        let (gather, progress) = (Gather::new(plan, &columns), Progress::new(plan.entries.len()));
        Self { gather, matrix: None, json, progress, output: Output::default() }
    }

    /// What became of the claims, once the run is over.
    pub const fn matrix(&self) -> Option<&Matrix> {
        self.matrix.as_ref()
    }

    fn finish(&mut self, matrix: &Matrix) {
        self.progress.clear();
        let Some(found) = Differences::of(matrix) else { return };
        let lines = if self.json { vec![json(&found)] } else { pretty(&found, matrix) };
        for line in &lines {
            self.output.line(line);
        }
    }
}

impl Listener for Diff {
    fn hear(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Ended { .. }) {
            self.progress.step();
        }
        if let Some(matrix) = self.gather.hear(event) {
            self.finish(&matrix);
            self.matrix = Some(matrix);
        }
    }

    fn lost(&self) -> Option<&std::io::Error> {
        self.output.lost()
    }
}

fn pretty(found: &Differences<'_>, matrix: &Matrix) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = None;
    for difference in &found.differing {
        let heading = difference.row.heading();
        if last.as_ref() != Some(&heading) {
            lines.push(format!("{}{heading}", if last.is_some() { "\n" } else { "" }));
            last = Some(heading);
        }
        lines.extend(told(difference, found.runtimes));
    }
    if last.is_some() {
        lines.push(String::new());
    }
    lines.extend(numbers(found, matrix));
    lines
}

/// The claim, and below it what became of it on each, with what was observed.
fn told(difference: &Difference<'_>, runtimes: [&str; 2]) -> Vec<String> {
    let widest = runtimes.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut lines = vec![format!("  {}", difference.row.sentence())];
    for ((name, cell), observed) in runtimes.iter().zip(difference.cells).zip(&difference.observed) {
        let start = format!("    {name:<widest$}  {}", marked(cell.mark));
        let reason = cell.reason.iter().cloned();
        let mut parts = reason.chain(observed.iter().cloned());
        lines.push(format!("{start}  {}", parts.next().unwrap_or_default()).trim_end().to_owned());
        // Below what stands behind the outcome's word.
        let indent = " ".repeat(4 + widest + 2 + Mark::WIDEST + 2);
        lines.extend(parts.map(|part| format!("{indent}{part}")));
    }
    lines
}

fn numbers(found: &Differences<'_>, matrix: &Matrix) -> Vec<String> {
    let [one, other] = found.runtimes;
    let not_compared: usize = found.not_compared.values().sum();
    let claims = if matrix.rows.len() == 1 { "claim" } else { "claims" };
    let mut lines = vec![format!(
        "{one} and {other} differ in {} of {} {claims}; {} alike, {} broken on both, {not_compared} not compared; {:.2} s",
        found.differing.len(),
        matrix.rows.len(),
        found.alike,
        found.broken,
        matrix.took.as_secs_f64()
    )];
    lines.extend(found.not_compared.iter().map(|(reason, count)| format!("  {count:>4} × {reason}")));
    lines
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    runtimes: [&'a str; 2],
    differing: Vec<One<'a>>,
    alike: usize,
    broken: usize,
    not_compared: &'a std::collections::BTreeMap<String, usize>,
}

#[derive(Serialize)]
struct One<'a> {
    name: &'a str,
    spec: Option<&'a About>,
    /// One for each runtime, in their order.
    on: [On<'a>; 2],
}

#[derive(Serialize)]
struct On<'a> {
    runtime: &'a str,
    outcome: Mark,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a Trouble>,
    observed: &'a [Evidence],
}

fn json(found: &Differences<'_>) -> String {
    let document = Document {
        runtimes: found.runtimes,
        differing: found.differing.iter().map(|difference| one(difference, found.runtimes)).collect(),
        alike: found.alike,
        broken: found.broken,
        not_compared: &found.not_compared,
    };
    serde_json::to_string(&document).unwrap_or_default()
}

fn one<'a>(difference: &Difference<'a>, runtimes: [&'a str; 2]) -> One<'a> {
    let [first, second] = difference.cells;
    let on = [on(runtimes[0], first), on(runtimes[1], second)];
    One { name: &difference.row.name, spec: difference.row.about.as_ref(), on }
}

fn on<'a>(runtime: &'a str, cell: &'a Cell) -> On<'a> {
    let (reason, trouble) = (cell.reason.as_deref(), cell.trouble.as_ref());
    On { runtime, outcome: cell.mark, reason, trouble, observed: &cell.observed }
}
