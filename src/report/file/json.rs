//! One JSON object for a whole run: `--report json=FILE`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{Ended, Trouble, date};
use crate::judge::Evidence;
use crate::report::matrix::{About, Cell, Mark, Matrix, Row};

/// The number that changes when what reads it must.
const VERSION: u32 = 1;

/// The whole document.
#[derive(Serialize)]
struct Document<'a> {
    /// The form's version.
    version: u32,
    /// The version of airtight.
    airtight: &'a str,
    /// When it was written.
    written: String,
    runtimes: Vec<Runtime<'a>>,
    claims: Vec<Claim<'a>>,
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Runtime<'a> {
    name: &'a str,
    counts: BTreeMap<Mark, usize>,
}

#[derive(Serialize)]
struct Claim<'a> {
    name: &'a str,
    differs: bool,
    spec: Option<&'a About>,
    /// By runtime; a runtime that its spec does not name is not there.
    on: BTreeMap<&'a str, On<'a>>,
}

#[derive(Serialize)]
struct On<'a> {
    outcome: Mark,
    milliseconds: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a Trouble>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    observed: &'a [Evidence],
}

#[derive(Serialize)]
struct Summary<'a> {
    counts: &'a BTreeMap<Ended, usize>,
    reasons: &'a BTreeMap<String, usize>,
    required: usize,
    sandboxes: usize,
    controls: usize,
    milliseconds: u128,
}

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let summary = &matrix.summary;
    let document = Document {
        version: VERSION,
        airtight: env!("CARGO_PKG_VERSION"),
        written: date::now(),
        runtimes: (0..matrix.runtimes.len()).map(|column| runtime(matrix, column)).collect(),
        claims: matrix.rows.iter().map(|row| claim(matrix, row)).collect(),
        summary: Summary {
            counts: &summary.counts,
            reasons: &summary.reasons,
            required: summary.required,
            sandboxes: summary.sandboxes,
            controls: summary.controls,
            milliseconds: matrix.took.as_millis(),
        },
    };
    // Texts and numbers under texts: nothing in it can fail to be written.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn runtime(matrix: &Matrix, column: usize) -> Runtime<'_> {
    let counts = Mark::ALL.into_iter().map(|mark| (mark, matrix.count(column, mark))).collect();
    Runtime { name: &matrix.runtimes[column], counts }
}

fn claim<'a>(matrix: &'a Matrix, row: &'a Row) -> Claim<'a> {
    let cells = matrix.runtimes.iter().zip(&row.cells);
    let on = cells.filter_map(|(name, cell)| Some((name.as_str(), on(cell.as_ref()?)))).collect();
    Claim { name: &row.name, differs: row.differs(), spec: row.about.as_ref(), on }
}

fn on(cell: &Cell) -> On<'_> {
    On {
        outcome: cell.mark,
        milliseconds: cell.took.as_millis(),
        reason: cell.reason.as_deref(),
        trouble: cell.trouble.as_ref(),
        observed: &cell.observed,
    }
}
