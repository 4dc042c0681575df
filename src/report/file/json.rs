//! One JSON object for a whole run: `--report json=FILE`, which `airtight merge` reads again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Ended, date};
use crate::plan::{Column, Parts};
use crate::report::matrix::{About, Cell, Machine, Mark, Matrix, Row};

/// The number that changes when what reads it must.
pub(super) const VERSION: u32 = 2;

/// The whole document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document<'a> {
    /// The form's version.
    pub(super) version: u32,
    /// The version of airtight.
    pub(super) airtight: Cow<'a, str>,
    /// When it was written.
    pub(super) written: Cow<'a, str>,
    pub(super) machines: Cow<'a, [Machine]>,
    /// Which parts of wholes it holds; empty if it is a whole itself.
    pub(super) partitions: Cow<'a, [Parts]>,
    pub(super) columns: Vec<Counted<'a>>,
    pub(super) claims: Vec<Claim<'a>>,
    pub(super) summary: Numbers<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Counted<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) runtime: Cow<'a, str>,
    pub(super) kernel: Option<Cow<'a, str>>,
    pub(super) counts: BTreeMap<Mark, usize>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claim<'a> {
    pub(super) name: Cow<'a, str>,
    /// Its number among the claims of the whole.
    pub(super) place: usize,
    pub(super) differs: bool,
    pub(super) spec: Option<Cow<'a, About>>,
    /// By column; one that its spec does not name is not there.
    pub(super) on: BTreeMap<Cow<'a, str>, Cow<'a, Cell>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Numbers<'a> {
    pub(super) counts: Cow<'a, BTreeMap<Ended, usize>>,
    pub(super) reasons: Cow<'a, BTreeMap<String, usize>>,
    pub(super) required: usize,
    pub(super) sandboxes: usize,
    pub(super) controls: usize,
    pub(super) milliseconds: u64,
}

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let document = Document {
        version: VERSION,
        airtight: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        written: Cow::Owned(date::now()),
        machines: Cow::Borrowed(&matrix.machines),
        partitions: Cow::Borrowed(&matrix.parts),
        columns: matrix
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| counted(matrix, place, column))
            .collect(),
        claims: matrix.rows.iter().map(|row| claim(matrix, row)).collect(),
        summary: numbers(matrix),
    };
    // Texts and numbers under texts: nothing in it can fail to be written.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn counted<'a>(matrix: &Matrix, place: usize, column: &'a Column) -> Counted<'a> {
    let counts = Mark::ALL.into_iter().map(|mark| (mark, matrix.count(place, mark))).collect();
    Counted {
        name: Cow::Borrowed(&column.name),
        runtime: Cow::Borrowed(&column.runtime),
        kernel: column.kernel.as_deref().map(Cow::Borrowed),
        counts,
    }
}

fn claim<'a>(matrix: &'a Matrix, row: &'a Row) -> Claim<'a> {
    let cells = matrix.columns.iter().zip(&row.cells);
    let on = cells.filter_map(|(column, cell)| {
        Some((Cow::Borrowed(column.name.as_str()), Cow::Borrowed(cell.as_ref()?)))
    });
    Claim {
        name: Cow::Borrowed(&row.name),
        place: row.place,
        differs: row.differs(),
        spec: row.about.as_ref().map(Cow::Borrowed),
        on: on.collect(),
    }
}

fn numbers(matrix: &Matrix) -> Numbers<'_> {
    let summary = &matrix.summary;
    Numbers {
        counts: Cow::Borrowed(&summary.counts),
        reasons: Cow::Borrowed(&summary.reasons),
        required: summary.required,
        sandboxes: summary.sandboxes,
        controls: summary.controls,
        milliseconds: u64::try_from(matrix.took.as_millis()).unwrap_or(u64::MAX),
    }
}
