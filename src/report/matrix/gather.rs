//! From the events of a run to its matrix.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::machine::Machine;
use super::table::{About, Cell, Mark, Matrix, Row};
use crate::engine::{Event, Outcome, Summary};
use crate::judge::{Evidence, Observations, readings};
use crate::plan::{Column, Entry, Plan, Test};
use crate::report::trouble;

/// Puts together what became of each claim on each runtime.
#[derive(Debug, Default)]
pub struct Gather {
    matrix: Matrix,
    /// The row of each claim, by its name.
    rows: HashMap<String, usize>,
}

impl Gather {
    /// For this plan with these columns, and further ones that specs name by themselves.
    pub fn new(plan: &Plan, columns: &[Column]) -> Self {
        let mut gather = Self::default();
        gather.matrix.columns = columns.to_vec();
        gather.matrix.machines = vec![Machine::here()];
        gather.matrix.parts = plan.parts.iter().cloned().collect();
        for entry in &plan.entries {
            if gather.column(entry).is_none() {
                gather.matrix.columns.push(entry.column());
            }
            gather.add_row(entry);
        }
        let columns = gather.matrix.columns.len();
        gather.matrix.rows.iter_mut().for_each(|row| row.cells.resize(columns, None));
        gather
    }

    fn column(&self, entry: &Entry) -> Option<usize> {
        let (runtime, kernel) = (entry.runtime().name(), entry.kernel());
        self.matrix.columns.iter().position(|column| column.is(runtime, kernel))
    }

    fn add_row(&mut self, entry: &Entry) {
        let (name, place) = (entry.claim(), entry.number());
        if !self.rows.contains_key(name) {
            self.rows.insert(name.to_owned(), self.matrix.rows.len());
            self.matrix.rows.push(Row { name: name.to_owned(), place, ..Row::default() });
        }
    }

    /// Takes in what became of a test; with the end of the run the whole, and nothing more is taken in.
    pub fn hear(&mut self, event: &Event<'_>) -> Option<Matrix> {
        match event {
            Event::Started { .. } | Event::Begun { .. } => None,
            Event::Ended { entry, test, outcome, observed, took } => {
                self.end(entry, *test, cell(*test, outcome, observed, *took));
                None
            }
            Event::Finished { summary, took } => Some(self.finish(summary, *took)),
        }
    }

    fn end(&mut self, entry: &Entry, test: Option<&Test>, cell: Cell) {
        let place = self.rows.get(entry.claim()).copied();
        let (Some(place), Some(column)) = (place, self.column(entry)) else { return };
        let row = &mut self.matrix.rows[place];
        row.cells[column] = Some(cell);
        if let (None, Some(test)) = (&row.about, test) {
            row.about = Some(about(test));
        }
    }

    fn finish(&mut self, summary: &Summary, took: Duration) -> Matrix {
        let mut matrix = std::mem::take(&mut self.matrix);
        areas(&mut matrix.rows);
        Matrix { summary: summary.clone(), took, ..matrix }
    }
}

/// Finds the area of each row.
pub(in crate::report) fn areas(rows: &mut [Row]) {
    let folder = |about: &About| Path::new(&about.file).parent().unwrap_or(Path::new("")).to_owned();
    let folders: Vec<PathBuf> = rows
        .iter()
        .filter_map(|row| row.about.as_ref().filter(|about| !about.file.is_empty()))
        .map(folder)
        .collect();
    let shared = shared(folders.iter().map(PathBuf::as_path));
    for about in rows.iter_mut().filter_map(|row| row.about.as_mut()) {
        about.area = area(&folder(about), &shared);
    }
}

fn cell(test: Option<&Test>, outcome: &Outcome, observed: &Observations, took: Duration) -> Cell {
    let (need, reason) = match outcome {
        Outcome::Skipped(skip) => (Some(skip.need.clone()), Some(format!("{}: {}", skip.need, skip.reason))),
        Outcome::NotMeasured(reason) => (None, Some(reason.clone())),
        _ => (None, None),
    };
    let trouble = outcome.trouble();
    let draw = |test: &Test| trouble.map(|trouble| trouble::render(test, outcome.ended(), trouble, false));
    Cell {
        mark: Mark::of(outcome),
        took,
        need,
        reason,
        trouble: trouble.cloned(),
        drawn: test.and_then(draw),
        observed: test.map(|test| observed_of(test, observed)).unwrap_or_default(),
    }
}

fn observed_of(test: &Test, observed: &Observations) -> Vec<Evidence> {
    readings(test.claim().given.iter().chain(test.claim().steps.iter().flat_map(|step| &step.seen)), observed)
}

/// What the spec says of a test's claim; its area shows only beside others.
pub(in crate::report) fn about(test: &Test) -> About {
    let (scenario, claim) = (test.scenario(), test.claim());
    let with_row =
        |name: &str, row: &str| if row.is_empty() { name.to_owned() } else { format!("{name} ({row})") };
    let both = |of_scenario: &[String], of_claim: &[String]| [of_scenario, of_claim].concat();
    About {
        area: String::new(),
        file: test.spec.path.display().to_string(),
        line: claim.at.line,
        scenario: with_row(&scenario.name, &scenario.row),
        claim: with_row(&claim.name, &claim.row),
        why: claim.about.why.clone().or_else(|| scenario.about.why.clone()),
        see: both(&scenario.about.see, &claim.about.see),
        tags: both(&scenario.about.tags, &claim.about.tags),
    }
}

/// The deepest folder that all of these are in.
fn shared<'a>(mut folders: impl Iterator<Item = &'a Path>) -> PathBuf {
    let first = folders.next().unwrap_or(Path::new("")).to_owned();
    folders.fold(first, |shared, folder| {
        let alike = shared.components().zip(folder.components()).take_while(|(one, other)| one == other);
        alike.map(|(part, _)| part).collect()
    })
}

/// The folder below the shared one; its own name where it is that.
fn area(folder: &Path, shared: &Path) -> String {
    let below = folder.strip_prefix(shared).unwrap_or(folder);
    let own = || folder.file_name().map_or(folder, Path::new);
    let area = if below.as_os_str().is_empty() { own() } else { below };
    area.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{area, shared};

    #[test]
    fn an_area_is_the_folder_below_what_is_shared() {
        let check = |folders: &[&str], expected: &[&str]| {
            let shared = shared(folders.iter().map(Path::new));
            let areas: Vec<String> = folders.iter().map(|folder| area(Path::new(folder), &shared)).collect();
            assert_eq!(areas, expected);
        };
        check(&["specs/pid", "specs/mount", "specs/pid"], &["pid", "mount", "pid"]);
        check(&["specs/pid", "specs/pid"], &["pid", "pid"]);
        check(&["specs", "specs/pid/deep"], &["specs", "pid/deep"]);
        check(&["/a/specs/pid", "/b/specs/pid"], &["a/specs/pid", "b/specs/pid"]);
        check(&["."], &["."]);
    }
}
