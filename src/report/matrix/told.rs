//! For people, of a run on several runtimes or kernels: the matrix, the numbers, then the evidence.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use super::gather::Gather;
use super::layout::layout;
use super::table::Matrix;
use crate::engine::{Event, Listener};
use crate::plan::{Column, Plan};
use crate::report::output::Output;
use crate::report::progress::Progress;
use crate::report::{pretty, terminal, trouble};

/// Tells a run on standard output once it is over, with a progress line on a terminal's standard error.
#[derive(Debug)]
pub struct SideBySide {
    gather: Gather,
    /// What is red, by its place in the plan.
    evidence: BTreeMap<usize, String>,
    places: std::collections::HashMap<String, usize>,
    progress: Progress,
    output: Output,
}

impl SideBySide {
    /// For this plan with these columns.
    pub fn new(plan: &Plan, columns: &[Column]) -> Self {
        let places = plan.entries.iter().enumerate();
        Self {
            gather: Gather::new(plan, columns),
            evidence: BTreeMap::new(),
            places: places.map(|(place, entry)| (entry.name.clone(), place)).collect(),
            progress: Progress::new(plan.entries.len()),
            output: Output::default(),
        }
    }

    fn note(&mut self, event: &Event<'_>) {
        let Event::Ended { entry, test, outcome, .. } = event else { return };
        if let Some(trouble) = outcome.trouble() {
            let place = self.places.get(&entry.name).copied().unwrap_or(usize::MAX);
            let color = std::io::stdout().is_terminal();
            let text = trouble::of_entry(entry, *test, outcome.ended(), trouble, color);
            self.evidence.insert(place, text);
        }
        self.progress.step();
    }

    fn finish(&mut self, matrix: &Matrix) {
        self.progress.clear();
        self.output.line(layout(matrix, terminal::width()).trim_end());
        for line in pretty::closing(&matrix.summary, matrix.took, self.evidence.is_empty()) {
            self.output.line(&line);
        }
        for block in self.evidence.values() {
            self.output.line(&format!("\n{block}"));
        }
    }
}

impl Listener for SideBySide {
    fn hear(&mut self, event: &Event<'_>) {
        self.note(event);
        if let Some(matrix) = self.gather.hear(event) {
            self.finish(&matrix);
        }
    }

    fn lost(&self) -> Option<&std::io::Error> {
        self.output.lost()
    }
}
