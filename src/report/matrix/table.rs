//! What became of each claim on each runtime, as data: what every report of a whole run is made from.

use std::time::Duration;

use serde::Serialize;

use crate::engine::{Outcome, Summary, Trouble};
use crate::judge::Evidence;
use crate::plan::KNOWN_ISSUE;

/// Claims as rows, runtimes as columns.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// The names of the runtimes, in the order in which they were asked for.
    pub runtimes: Vec<String>,
    /// The claims, in the order of the specs.
    pub rows: Vec<Row>,
    /// The run in numbers.
    pub summary: Summary,
    /// How long it took.
    pub took: Duration,
}

/// One claim, or one row of its `for_each`.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The name of its tests without the runtime: `pid/first-process::The first process::sees itself as PID 1`.
    pub name: String,
    /// What its spec says of it; `None` where that could not be read any more.
    pub about: Option<About>,
    /// What became of it, by runtime; `None` where its spec names other runtimes.
    pub cells: Vec<Option<Cell>>,
}

/// What a spec says of a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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

/// A claim on one runtime.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What became of it.
    pub mark: Mark,
    /// Why it was not measured, or what is known to be wrong.
    pub reason: Option<String>,
    /// Why it is red.
    pub trouble: Option<Trouble>,
    /// The same, drawn as on the terminal.
    pub drawn: Option<String>,
    /// What was observed of the facts that it speaks of.
    pub observed: Vec<Evidence>,
    /// How long it took.
    pub took: Duration,
}

/// What became of a claim, as a report marks it: the outcomes, and of the skipped those apart that are known to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Observed, and so.
    Passed,
    /// Observed, and not so.
    Failed,
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
    /// How many claims ended so on the runtime of this column.
    pub fn count(&self, column: usize, mark: Mark) -> usize {
        self.rows.iter().filter(|row| row.mark(column) == Some(mark)).count()
    }
}

impl Row {
    /// What became of it on the runtime of this column.
    pub fn mark(&self, column: usize) -> Option<Mark> {
        self.cells.get(column)?.as_ref().map(|cell| cell.mark)
    }

    /// Whether runtimes on which something came out of it disagree. What was not measured on one of them says nothing of it.
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
    /// All six, the most telling first.
    pub const ALL: [Self; 6] =
        [Self::Passed, Self::Failed, Self::Broken, Self::KnownIssue, Self::Skipped, Self::NotMeasured];

    /// How many letters the longest of their words has.
    pub const WIDEST: usize = "not measured".len();

    /// Of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::Broken(_) => Self::Broken,
            Outcome::Skipped(skip) if skip.need == KNOWN_ISSUE => Self::KnownIssue,
            Outcome::Skipped(_) => Self::Skipped,
            Outcome::NotMeasured(_) => Self::NotMeasured,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
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
            Self::KnownIssue => '~',
            Self::Skipped => '-',
            Self::NotMeasured => '·',
        }
    }

    /// Whether something came out of it that can be held against another runtime.
    pub const fn is_verdict(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Broken | Self::KnownIssue)
    }

    /// Whether it is red.
    pub const fn is_red(self) -> bool {
        matches!(self, Self::Failed | Self::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Mark, Row};

    fn check(marks: &[Option<Mark>], differs: bool) {
        assert_eq!(row(marks).differs(), differs, "{marks:?}");
    }

    fn row(marks: &[Option<Mark>]) -> Row {
        let cell = |mark: Mark| Cell {
            mark,
            reason: None,
            trouble: None,
            drawn: None,
            observed: Vec::new(),
            took: std::time::Duration::ZERO,
        };
        Row { cells: marks.iter().map(|mark| mark.map(cell)).collect(), ..Row::default() }
    }

    #[test]
    fn a_row_differs_where_two_verdicts_do() {
        use Mark::{Broken, Failed, KnownIssue, NotMeasured, Passed, Skipped};
        check(&[Some(Passed), Some(Passed)], false);
        check(&[Some(Passed), Some(Failed)], true);
        check(&[Some(Failed), Some(Broken)], true);
        check(&[Some(Passed), Some(KnownIssue)], true);
        check(&[Some(Passed), Some(Skipped), None, Some(NotMeasured)], false);
        check(&[Some(Skipped), Some(Failed), Some(Passed)], true);
        check(&[None, None], false);
        check(&[], false);
    }

    #[test]
    fn marks_are_told_apart_without_colour() {
        let distinct = |all: Vec<String>| all.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(distinct(Mark::ALL.iter().map(|mark| mark.symbol().to_string()).collect()), 6);
        assert_eq!(distinct(Mark::ALL.iter().map(|mark| mark.key().to_owned()).collect()), 6);
    }
}
