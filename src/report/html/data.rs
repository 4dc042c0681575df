//! What the page's script opens a cell with, as JSON in the page.

use serde::Serialize;

use super::escape::json_in_script;
use crate::judge::{Evidence, Finding};
use crate::report::matrix::{About, Cell, Column, Matrix, Row};
use crate::report::trouble::shown_in;
use crate::report::visible::{self, visible};

/// The most of one cell's drawing, in characters, and the most readings of it: a page of thousands of cells must stay one that opens.
const DRAWN: usize = 8000;
const READINGS: usize = 12;

/// The most of one value, where it is red and where it is not.
const RED: usize = 1000;
const OTHER: usize = 300;

#[derive(Serialize)]
struct Data {
    columns: Vec<DataColumn>,
    rows: Vec<DataRow>,
}

#[derive(Serialize)]
struct DataColumn {
    name: String,
    /// The place of its runtime, and of its kernel, among the switches.
    runtime: usize,
    kernel: usize,
}

#[derive(Serialize)]
struct DataRow {
    area: String,
    file: String,
    line: usize,
    scenario: String,
    claim: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    see: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    differs: bool,
    cells: Vec<Option<DataCell>>,
}

#[derive(Serialize)]
struct DataCell {
    mark: &'static str,
    /// Milliseconds.
    took: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    /// Fact, what was expected, what was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<[String; 3]>,
    #[serde(skip_serializing_if = "String::is_empty")]
    drawn: String,
    /// Viewpoint, fact, value, remark.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seen: Vec<[String; 4]>,
}

/// The text of the page's data, harmless in a `script` element.
pub(super) fn data(matrix: &Matrix) -> String {
    let data = Data { columns: columns(matrix), rows: matrix.rows.iter().map(row).collect() };
    json_in_script(&serde_json::to_string(&data).unwrap_or_default())
}

fn columns(matrix: &Matrix) -> Vec<DataColumn> {
    let (runtimes, kernels) = (matrix.runtimes(), matrix.kernels());
    let one = |column: &Column| DataColumn {
        name: visible(&column.name),
        runtime: runtimes.iter().position(|name| *name == column.runtime).unwrap_or(0),
        kernel: kernels.iter().position(|name| *name == column.kernel.as_deref()).unwrap_or(0),
    };
    matrix.columns.iter().map(one).collect()
}

fn row(row: &Row) -> DataRow {
    let none = About::default();
    let about = row.about.as_ref().unwrap_or(&none);
    let list = |texts: &[String]| texts.iter().map(|text| visible(text)).collect();
    DataRow {
        area: visible(&about.area),
        file: visible(&about.file),
        line: about.line,
        scenario: visible(&about.scenario),
        claim: visible(row.sentence()),
        why: visible(about.why.as_deref().unwrap_or_default()),
        see: list(&about.see),
        tags: list(&about.tags),
        differs: row.differs(),
        cells: row.cells.iter().map(|found| found.as_ref().map(cell)).collect(),
    }
}

fn cell(cell: &Cell) -> DataCell {
    let message = || cell.trouble.as_ref().and_then(|trouble| trouble.message.clone()).unwrap_or_default();
    let findings = cell.trouble.iter().flat_map(|trouble| &trouble.findings);
    DataCell {
        mark: cell.mark.key(),
        took: (cell.took.as_secs_f64() * 10_000.0).round() / 10.0,
        reason: visible(cell.reason.as_deref().unwrap_or_default()),
        found: findings.take(READINGS).map(found).collect(),
        drawn: visible(&cut(&cell.drawn.clone().unwrap_or_else(message))),
        seen: cell.observed.iter().take(READINGS).map(seen).collect(),
    }
}

/// Where nothing was observed, what is said of that.
fn found(finding: &Finding) -> [String; 3] {
    let observed =
        finding.actual.as_ref().map_or_else(|| finding.label.clone(), |value| shown_in(value, RED));
    [&finding.fact, &finding.expected, &observed].map(|text| visible(&cut(text)))
}

fn seen(reading: &Evidence) -> [String; 4] {
    let value = reading.value.as_ref().map(|value| shown_in(value, OTHER)).unwrap_or_default();
    [&reading.view, &reading.fact, &value, &reading.note].map(|text| visible(text))
}

/// What a cell's drawing is cut to.
pub(super) fn cut(text: &str) -> String {
    visible::cut(text, DRAWN)
}
