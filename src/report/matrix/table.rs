//! What became of each claim on each runtime, as data: what every report of a whole run is made from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::engine::{Ended, Outcome, Summary, Trouble};
use crate::judge::Evidence;
use crate::plan::{Column, KNOWN_ISSUE, Parts};

/// Claims as rows; runtimes, on one kernel or on several, as columns.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// The runtimes and kernels, in the order in which they were asked for.
    pub columns: Vec<Column>,
    /// The claims, in the order of the specs.
    pub rows: Vec<Row>,
    /// The run in numbers.
    pub summary: Summary,
    /// How long it took.
    pub took: Duration,
    /// Where it took place; several where reports were merged.
    pub machines: Vec<Machine>,
    /// Which parts of wholes it holds; none if it is a whole itself.
    pub parts: Vec<Parts>,
}

/// One claim, or one row of its `for_each`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The name of its tests without runtime and kernel: `pid/first-process::The first process::sees itself as PID 1`.
    pub name: String,
    /// Its number in the whole plan: claims that are put together from several reports are in this order.
    pub place: usize,
    /// What its spec says of it; `None` where that could not be read any more.
    pub about: Option<About>,
    /// What became of it, by column; `None` where its spec names other runtimes.
    pub cells: Vec<Option<Cell>>,
}

/// What a spec says of a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The folder of its spec, below what is common to all of them.
    pub area: String,
    /// The spec.
    pub file: String,
    /// The line of its sentence.
    pub line: usize,
    /// The scenario's sentence, with its row.
    pub scenario: String,
    /// Its own sentence, with its row.
    pub claim: String,
    /// Why it matters.
    pub why: Option<String>,
    /// References.
    pub see: Vec<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
}

/// A claim in one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What became of it.
    #[serde(rename = "outcome")]
    pub mark: Mark,
    /// How long it took.
    #[serde(rename = "milliseconds", with = "milliseconds")]
    pub took: Duration,
    /// The need that is not met, if that is why it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<String>,
    /// Why it was not measured, or what is known to be wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is red.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The same, drawn as on the terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<String>,
    /// What was observed of the facts that it speaks of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Evidence>,
}

/// What became of a claim, as a report marks it: the outcomes, and of the skipped those apart that are known to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Observed, and so.
    Passed,
    /// Observed, and not so.
    Failed,
    /// The kernel under it died while it was judged.
    Crashed,
    /// It could not be observed.
    Broken,
    /// Observed, and not so, which is known.
    KnownIssue,
    /// A need is not met.
    Skipped,
    /// What is given is not so, or what was observed says nothing here.
    NotMeasured,
}

impl Matrix {
    /// What became of each claim in each column where it was told, row by row.
    pub fn cells(&self) -> impl Iterator<Item = (&Row, &Column, &Cell)> {
        self.rows.iter().flat_map(|row| {
            let beside = self.columns.iter().zip(&row.cells);
            beside.filter_map(move |(column, cell)| Some((row, column, cell.as_ref()?)))
        })
    }

    /// The runtimes, each once, in their order.
    pub fn runtimes(&self) -> Vec<&str> {
        let all: indexmap::IndexSet<&str> =
            self.columns.iter().map(|column| column.runtime.as_str()).collect();
        all.into_iter().collect()
    }

    /// The kernels, each once, in their order; `None` is that of the machine.
    pub fn kernels(&self) -> Vec<Option<&str>> {
        let all: indexmap::IndexSet<Option<&str>> =
            self.columns.iter().map(|column| column.kernel.as_deref()).collect();
        all.into_iter().collect()
    }

    /// Whether it was run on more than one kernel.
    pub fn has_kernels(&self) -> bool {
        self.kernels().len() > 1
    }

    /// How many claims ended so in this column.
    pub fn count(&self, column: usize, mark: Mark) -> usize {
        self.rows.iter().filter(|row| row.mark(column) == Some(mark)).count()
    }

    /// The marks that have a number in every table: a kernel that crashes is rare enough to be told only where one did.
    pub fn counted(&self) -> Vec<Mark> {
        let crashed = || {
            self.rows.iter().flat_map(|row| row.cells.iter().flatten()).any(|cell| cell.mark == Mark::Crashed)
        };
        Mark::ALL.into_iter().filter(|mark| *mark != Mark::Crashed || crashed()).collect()
    }
}

impl Cell {
    /// Of which nothing is known but what became of it.
    pub fn of(mark: Mark) -> Self {
        let took = Duration::ZERO;
        Self { mark, took, need: None, reason: None, trouble: None, drawn: None, observed: Vec::new() }
    }

    /// The reason without the need that stands before it.
    pub fn measured(&self) -> Option<&str> {
        let reason = self.reason.as_deref()?;
        let need = self.need.as_deref().unwrap_or_default();
        Some(reason.strip_prefix(need).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(reason))
    }

    /// In one line why it is red: what was found first, or what went wrong.
    pub fn summary(&self) -> String {
        let Some(trouble) = &self.trouble else { return String::new() };
        let finding = trouble.findings.first().map(|finding| format!("{}: {}", finding.fact, finding.label));
        let text = finding.or_else(|| trouble.message.clone()).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    }
}

/// A time as whole milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

impl Row {
    /// What became of it in this column.
    pub fn mark(&self, column: usize) -> Option<Mark> {
        self.cells.get(column)?.as_ref().map(|cell| cell.mark)
    }

    /// Whether columns in which something came out of it disagree. What was not measured in one of them says nothing of it.
    pub fn differs(&self) -> bool {
        let mut verdicts = self.cells.iter().flatten().map(|cell| cell.mark).filter(|mark| mark.is_verdict());
        let first = verdicts.next();
        verdicts.any(|mark| Some(mark) != first)
    }

    /// The scenario with its spec, as a heading; empty where the spec could not be read any more.
    pub fn heading(&self) -> String {
        self.about.as_ref().map(|about| format!("{}  {}", about.file, about.scenario)).unwrap_or_default()
    }

    /// Its sentence; its whole name where the spec could not be read any more.
    pub fn sentence(&self) -> &str {
        self.about.as_ref().map_or(&self.name, |about| &about.claim)
    }
}

impl Mark {
    /// All seven, the most telling first.
    pub const ALL: [Self; 7] = [
        Self::Passed,
        Self::Failed,
        Self::Crashed,
        Self::Broken,
        Self::KnownIssue,
        Self::Skipped,
        Self::NotMeasured,
    ];

    /// How many letters the longest of their words has.
    pub const WIDEST: usize = "not measured".len();

    /// Of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::Broken(_) => Self::Broken,
            Outcome::Crashed(_) => Self::Crashed,
            Outcome::Skipped(skip) if skip.need == KNOWN_ISSUE => Self::KnownIssue,
            Outcome::Skipped(_) => Self::Skipped,
            Outcome::NotMeasured(_) => Self::NotMeasured,
        }
    }

    /// The outcome that it stands for.
    pub const fn ended(self) -> Ended {
        match self {
            Self::Passed => Ended::Passed,
            Self::Failed => Ended::Failed,
            Self::Crashed => Ended::Crashed,
            Self::Broken => Ended::Broken,
            Self::KnownIssue | Self::Skipped => Ended::Skipped,
            Self::NotMeasured => Ended::NotMeasured,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Crashed => "crashed",
            Self::KnownIssue => "known issue",
            Self::Skipped => "skipped",
            Self::NotMeasured => "not measured",
        }
    }

    /// The same in the form that data has it: `known_issue`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::KnownIssue => "known_issue",
            Self::NotMeasured => "not_measured",
            other => other.word(),
        }
    }

    /// One character, one column wide; no two are alike without colour.
    pub const fn symbol(self) -> char {
        match self {
            Self::Passed => '✓',
            Self::Failed => '✗',
            Self::Broken => '!',
            Self::Crashed => '†',
            Self::KnownIssue => '~',
            Self::Skipped => '-',
            Self::NotMeasured => '·',
        }
    }

    /// Whether something came out of it that can be held against another runtime.
    pub const fn is_verdict(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Crashed | Self::Broken | Self::KnownIssue)
    }

    /// Whether it is red.
    pub const fn is_red(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed | Self::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Mark, Row};

    fn check(marks: &[Option<Mark>], differs: bool) {
        assert_eq!(row(marks).differs(), differs, "{marks:?}");
    }

    fn row(marks: &[Option<Mark>]) -> Row {
        Row { cells: marks.iter().map(|mark| mark.map(Cell::of)).collect(), ..Row::default() }
    }

    #[test]
    fn a_row_differs_where_two_verdicts_do() {
        use Mark::{Broken, Crashed, Failed, KnownIssue, NotMeasured, Passed, Skipped};
        check(&[Some(Passed), Some(Passed)], false);
        check(&[Some(Passed), Some(Failed)], true);
        check(&[Some(Failed), Some(Broken)], true);
        check(&[Some(Crashed), Some(Failed)], true);
        check(&[Some(Passed), Some(KnownIssue)], true);
        check(&[Some(Passed), Some(Skipped), None, Some(NotMeasured)], false);
        check(&[Some(Skipped), Some(Failed), Some(Passed)], true);
        check(&[None, None], false);
        check(&[], false);
    }

    #[test]
    fn marks_are_told_apart_without_colour() {
        let distinct = |all: Vec<String>| all.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(
            distinct(Mark::ALL.iter().map(|mark| mark.symbol().to_string()).collect()),
            Mark::ALL.len()
        );
        assert_eq!(distinct(Mark::ALL.iter().map(|mark| mark.key().to_owned()).collect()), Mark::ALL.len());
    }
}
