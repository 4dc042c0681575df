//! Where two runtimes differ.

use std::collections::BTreeMap;

use super::table::{Cell, Mark, Matrix, Row};
use crate::fact::Value;
use crate::judge::Evidence;
use crate::report::trouble::shown;

/// What comes of holding two runtimes against each other.
#[derive(Debug)]
pub struct Differences<'a> {
    /// The two names.
    pub runtimes: [&'a str; 2],
    /// The claims that came out otherwise, in the order of the specs.
    pub differing: Vec<Difference<'a>>,
    /// How many claims came out the same on both.
    pub alike: usize,
    /// How many claims could not be observed on either.
    pub broken: usize,
    /// Why the rest cannot be compared, with how often: they were not measured on one of them, or on neither.
    pub not_compared: BTreeMap<String, usize>,
}

/// A claim that came out otherwise on one than on the other.
#[derive(Debug)]
pub struct Difference<'a> {
    /// The claim.
    pub row: &'a Row,
    /// What became of it on each.
    pub cells: [&'a Cell; 2],
    /// What was observed on each, a line for each fact: of one that holds the same facts as the other failed by.
    pub observed: [Vec<String>; 2],
}

impl<'a> Differences<'a> {
    /// Of the first two runtimes of a matrix; `None` if it has fewer.
    pub fn of(matrix: &'a Matrix) -> Option<Self> {
        let [one, other, ..] = matrix.columns.as_slice() else { return None };
        let mut found = Self {
            runtimes: [&one.name, &other.name],
            differing: Vec::new(),
            alike: 0,
            broken: 0,
            not_compared: BTreeMap::new(),
        };
        matrix.rows.iter().for_each(|row| found.add(row));
        Some(found)
    }

    fn add(&mut self, row: &'a Row) {
        let cell = |column: usize| row.cells.get(column).and_then(Option::as_ref);
        match (cell(0), cell(1)) {
            (Some(one), Some(other)) if one.mark.is_verdict() && other.mark.is_verdict() => {
                self.compare(row, [one, other]);
            }
            (one, other) => {
                *self.not_compared.entry(self.why_not(one, other)).or_default() += 1;
            }
        }
    }

    fn compare(&mut self, row: &'a Row, cells: [&'a Cell; 2]) {
        match cells.map(|cell| cell.mark) {
            [Mark::Broken, Mark::Broken] => self.broken += 1,
            [one, other] if one == other => self.alike += 1,
            _ => {
                let observed = [observed(cells[0], cells[1]), observed(cells[1], cells[0])];
                self.differing.push(Difference { row, cells, observed });
            }
        }
    }

    /// The reasons of those that have no verdict.
    fn why_not(&self, one: Option<&Cell>, other: Option<&Cell>) -> String {
        let why = |cell: Option<&Cell>| match cell {
            None => Some("its spec names other runtimes".to_owned()),
            Some(cell) if cell.mark.is_verdict() => None,
            Some(cell) => Some(cell.reason.clone().unwrap_or_else(|| cell.mark.word().to_owned())),
        };
        match [why(one), why(other)] {
            [Some(one), Some(other)] if one == other => one,
            [Some(one), Some(other)] => format!("{}: {one}; {}: {other}", self.runtimes[0], self.runtimes[1]),
            [Some(one), None] => format!("not on {}: {one}", self.runtimes[0]),
            [None, Some(other)] => format!("not on {}: {other}", self.runtimes[1]),
            [None, None] => String::new(),
        }
    }
}

/// What was observed in a cell. Where it is red: what was found. Else the values of the facts by which the other is red.
fn observed(cell: &Cell, other: &Cell) -> Vec<String> {
    let mut lines: Vec<String> = found(cell).collect();
    if lines.is_empty() {
        let findings = other.trouble.iter().flat_map(|trouble| &trouble.findings);
        let asked: Vec<&str> = findings.map(|finding| finding.fact.as_str()).collect();
        let is_asked = |reading: &&Evidence| asked.is_empty() || asked.contains(&reading.fact.as_str());
        let told = cell.observed.iter().filter(is_asked).map(|reading| {
            let evidence = other.trouble.iter().flat_map(|trouble| &trouble.findings);
            told(reading, evidence.flat_map(|finding| &finding.evidence))
        });
        lines.extend(told);
    }
    lines.dedup();
    lines
}

fn found(cell: &Cell) -> impl Iterator<Item = String> {
    let findings = cell.trouble.iter().flat_map(|trouble| &trouble.findings);
    let labels = findings.map(|finding| format!("{}: {}", finding.fact, finding.label));
    labels.chain(cell.trouble.iter().filter_map(|trouble| trouble.message.clone()))
}

/// A reading on one line; of a record only the field that the other's evidence speaks of.
fn told<'a>(reading: &Evidence, mut others: impl Iterator<Item = &'a Evidence>) -> String {
    let field = others.find_map(|other| {
        let path = other.fact.strip_prefix(&reading.fact)?.strip_prefix('.')?;
        let value = path.split('.').try_fold(reading.value.as_ref()?, |value, name| value.get(name))?;
        Some((other.fact.as_str(), value))
    });
    let (fact, value) =
        field.map_or((reading.fact.as_str(), reading.value.as_ref()), |(fact, value)| (fact, Some(value)));
    let value = value.map(|value: &Value| shown(value)).unwrap_or_default();
    format!("{} {fact} {value} {}", reading.view, reading.note).trim_end().to_owned()
}
