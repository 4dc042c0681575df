//! The reports of parts, or of other machines, as one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::matrix::{Cell, Column, Mark, Matrix, Row, areas};
use crate::engine::Summary;
use crate::plan::Parts;

/// What came of it.
#[derive(Debug)]
pub struct Merged {
    /// The whole.
    pub matrix: Matrix,
    /// What is to be said of how the reports fit together.
    pub notes: Vec<Note>,
}

/// How reports fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The same claims, which came out the same.
    #[error("{claims} outcomes are in both {one} and {other}, and are the same there; they are counted once")]
    Twice {
        /// The first.
        one: PathBuf,
        /// The second.
        other: PathBuf,
        /// How many there are.
        claims: usize,
    },
    /// The same claim, which came out otherwise.
    #[error("{claim} [{column}] is {first} in {one}, and {second} in {other}: the worse of them is taken")]
    Conflict {
        /// The claim.
        claim: String,
        /// Where it was judged.
        column: String,
        /// A report.
        one: PathBuf,
        /// What it says.
        first: &'static str,
        /// Another.
        other: PathBuf,
        /// What that says.
        second: &'static str,
    },
    /// Parts that nobody has given.
    #[error("part {} of {of} is missing, of the run that {example} is a part of", list(.numbers, *.missing))]
    Missing {
        /// Which; the first of them.
        numbers: Vec<usize>,
        /// How many.
        missing: usize,
        /// Of how many.
        of: usize,
        /// A part that is there.
        example: PathBuf,
    },
}

/// How many missing parts are named.
const NAMED: usize = 20;

fn list(numbers: &[usize], missing: usize) -> String {
    let told: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let more = missing.saturating_sub(told.len());
    if more > 0 { format!("{} and {more} more", told.join(", ")) } else { told.join(", ") }
}

/// Reports that do not fit together at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{one} and {other} are parts of the same claims, but split in different ways: split both with the same `--partition …/N`"
)]
pub struct Unfit {
    one: PathBuf,
    other: PathBuf,
}

/// Joins them, in their order.
pub fn merge(reports: Vec<(PathBuf, Matrix)>) -> Result<Merged, Unfit> {
    let groups = groups(&reports)?;
    let mut notes: Vec<Note> = groups.iter().filter_map(missing).collect();
    let ordered = has_one_order(&reports);
    let mut joining = Joining::default();
    for (path, matrix) in reports {
        joining.add(&path, matrix);
    }
    let Joining { mut matrix, twice, mut conflicts, .. } = joining;
    if ordered {
        matrix.rows.sort_by_key(|row| row.place);
    }
    matrix.parts = groups.into_iter().map(|(_, parts)| parts).collect();
    matrix.rows.iter_mut().for_each(|row| row.cells.resize(matrix.columns.len(), None));
    areas(&mut matrix.rows);
    recount(&mut matrix);
    notes.append(&mut conflicts);
    notes.extend(twice.into_iter().map(|((one, other), claims)| Note::Twice { one, other, claims }));
    Ok(Merged { matrix, notes })
}

/// The parts that belong together by what they are parts of, each with a report that is one of them.
fn groups(reports: &[(PathBuf, Matrix)]) -> Result<Vec<(PathBuf, Parts)>, Unfit> {
    let mut groups: Vec<(PathBuf, Parts)> = Vec::new();
    for (path, parts) in
        reports.iter().flat_map(|(path, matrix)| matrix.parts.iter().map(move |parts| (path, parts)))
    {
        match groups.iter_mut().find(|(_, known)| known.plan == parts.plan) {
            None => groups.push((path.clone(), parts.clone())),
            Some((one, known)) if (known.of, known.how) != (parts.of, parts.how) => {
                return Err(Unfit { one: one.clone(), other: path.clone() });
            }
            Some((_, known)) => {
                known.numbers.extend(&parts.numbers);
                known.numbers.sort_unstable();
                known.numbers.dedup();
            }
        }
    }
    Ok(groups)
}

fn missing((example, parts): &(PathBuf, Parts)) -> Option<Note> {
    let there: HashSet<usize> = parts.numbers.iter().copied().collect();
    let (of, example) = (parts.of, example.clone());
    let missing = of.saturating_sub(there.len());
    let numbers: Vec<usize> = (1..=of).filter(|number| !there.contains(number)).take(NAMED).collect();
    (missing > 0).then_some(Note::Missing { numbers, missing, of, example })
}

/// Whether the places of claims mean the same in all reports, so that together they have the order of the specs.
fn has_one_order(reports: &[(PathBuf, Matrix)]) -> bool {
    let mut names: HashMap<usize, &str> = HashMap::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    reports.iter().flat_map(|(_, matrix)| &matrix.rows).all(|row| {
        *names.entry(row.place).or_insert(&row.name) == row.name
            && *places.entry(&row.name).or_insert(row.place) == row.place
    })
}

#[derive(Default)]
struct Joining {
    matrix: Matrix,
    /// The row of each claim, by its name.
    rows: HashMap<String, usize>,
    /// The report that a cell is from, by row and column.
    from: HashMap<(usize, usize), PathBuf>,
    twice: BTreeMap<(PathBuf, PathBuf), usize>,
    conflicts: Vec<Note>,
}

impl Joining {
    fn add(&mut self, path: &Path, report: Matrix) {
        let columns: Vec<usize> = report.columns.into_iter().map(|column| self.column(column)).collect();
        for machine in report.machines {
            if !self.matrix.machines.contains(&machine) {
                self.matrix.machines.push(machine);
            }
        }
        let Summary { required, sandboxes, controls, .. } = report.summary;
        let summary = &mut self.matrix.summary;
        summary.required += required;
        summary.sandboxes += sandboxes;
        summary.controls += controls;
        // Parts run side by side.
        self.matrix.took = self.matrix.took.max(report.took);
        for row in report.rows {
            self.add_row(path, row, &columns);
        }
    }

    fn column(&mut self, column: Column) -> usize {
        let known = self.matrix.columns.iter().position(|known| *known == column);
        known.unwrap_or_else(|| {
            self.matrix.columns.push(column);
            self.matrix.columns.len() - 1
        })
    }

    fn add_row(&mut self, path: &Path, row: Row, columns: &[usize]) {
        let Row { name, place, about, cells } = row;
        let next = self.matrix.rows.len();
        let row = *self.rows.entry(name.clone()).or_insert(next);
        if row == next {
            self.matrix.rows.push(Row { name, place, about: None, cells: Vec::new() });
        }
        let known = &mut self.matrix.rows[row].about;
        *known = known.take().or(about);
        for (cell, column) in cells.into_iter().zip(columns) {
            if let Some(cell) = cell {
                self.add_cell(path, (row, *column), cell);
            }
        }
    }

    fn add_cell(&mut self, path: &Path, place: (usize, usize), cell: Cell) {
        let row = &mut self.matrix.rows[place.0];
        if row.cells.len() <= place.1 {
            row.cells.resize(place.1 + 1, None);
        }
        let Some(known) = &row.cells[place.1] else {
            row.cells[place.1] = Some(cell);
            self.from.insert(place, path.to_owned());
            return;
        };
        let one = self.from.get(&place).cloned().unwrap_or_default();
        if known.mark == cell.mark {
            *self.twice.entry((one, path.to_owned())).or_default() += 1;
            return;
        }
        let (claim, column) = (row.name.clone(), self.matrix.columns[place.1].name.clone());
        let (first, second, other) = (known.mark.word(), cell.mark.word(), path.to_owned());
        self.conflicts.push(Note::Conflict { claim, column, one, first, other, second });
        if badness(cell.mark) > badness(known.mark) {
            row.cells[place.1] = Some(cell);
        }
    }
}

/// Which of two outcomes is the worse.
const fn badness(mark: Mark) -> u8 {
    match mark {
        Mark::Passed => 0,
        Mark::NotMeasured => 1,
        Mark::Skipped => 2,
        Mark::KnownIssue => 3,
        Mark::Broken => 4,
        Mark::Failed => 5,
        Mark::Crashed => 6,
    }
}

/// The numbers of what is there, each claim once.
fn recount(matrix: &mut Matrix) {
    let summary = &mut matrix.summary;
    for cell in matrix.rows.iter().flat_map(|row| row.cells.iter().flatten()) {
        *summary.counts.entry(cell.mark.ended()).or_default() += 1;
        if let Some(reason) = &cell.reason {
            *summary.reasons.entry(reason.clone()).or_default() += 1;
        }
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
