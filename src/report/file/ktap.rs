//! KTAP, for who tests kernels: `--report ktap=FILE`. A subtest for each column, in it one for each scenario, in it the claims
//! (Documentation/dev-tools/ktap.rst in the kernel's tree). `kunit.py parse` reads it.

use indexmap::IndexMap;

use crate::report::matrix::{Cell, Mark, Matrix, Row};
use crate::report::visible::{cut, in_one_line, visible};

/// The most of one claim's drawing, in characters.
const DRAWN: usize = 8000;

/// A result, with the lines that stand before it.
struct Told {
    before: Vec<String>,
    status: Status,
    name: String,
    /// What stands behind the `#`; empty where nothing is to be said.
    note: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Good,
    Bad,
    Skipped,
}

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let columns = (0..matrix.columns.len()).filter_map(|place| column(matrix, place)).collect();
    let mut lines = vec!["KTAP version 1".to_owned()];
    lines.extend(results(columns));
    lines.push(String::new());
    lines.join("\n")
}

/// `None` where the column has no claim at all: a subtest must have some.
fn column(matrix: &Matrix, place: usize) -> Option<Told> {
    let mut scenarios: IndexMap<String, Vec<Told>> = IndexMap::new();
    for row in &matrix.rows {
        if let Some(cell) = row.cells.get(place).and_then(Option::as_ref) {
            scenarios.entry(row.heading()).or_default().push(claim(row, cell));
        }
    }
    let scenarios: Vec<Told> = scenarios.into_iter().map(|(name, claims)| parent(&name, claims)).collect();
    (!scenarios.is_empty()).then(|| parent(&matrix.columns[place].name, scenarios))
}

fn claim(row: &Row, cell: &Cell) -> Told {
    let (status, note) = match cell.mark {
        Mark::Passed => (Status::Good, String::new()),
        Mark::Failed => (Status::Bad, cell.summary()),
        Mark::Crashed => (Status::Bad, format!("ERROR the kernel crashed: {}", cell.summary())),
        Mark::Broken => (Status::Bad, format!("ERROR could not be observed: {}", cell.summary())),
        // XFAIL would count as passed with `kunit.py parse`, which knows no directive but SKIP.
        Mark::KnownIssue | Mark::Skipped => (Status::Skipped, cell.reason.clone().unwrap_or_default()),
        Mark::NotMeasured => {
            (Status::Skipped, format!("not measured: {}", cell.reason.as_deref().unwrap_or_default()))
        }
    };
    let drawn = cell.drawn.as_deref().filter(|_| cell.mark.is_red()).unwrap_or_default();
    // Two blanks: `# Subtest:` would be another kind of line.
    let before = visible(&cut(drawn, DRAWN)).lines().map(|line| format!("#  {line}")).collect();
    Told { before, status, name: name(row.sentence()), note: bare(&note) }
}

/// A test of subtests: bad if one is, skipped if all are.
fn parent(text: &str, children: Vec<Told>) -> Told {
    let is = |wanted: Status| move |child: &Told| child.status == wanted;
    let (status, note) = if children.iter().any(is(Status::Bad)) {
        (Status::Bad, "")
    } else if children.iter().all(is(Status::Skipped)) {
        (Status::Skipped, "all of it")
    } else {
        (Status::Good, "")
    };
    let name = name(text);
    let head = ["KTAP version 1".to_owned(), format!("# Subtest: {name}")];
    let before = head.into_iter().chain(results(children)).map(|line| format!("  {line}")).collect();
    Told { before, status, name, note: note.to_owned() }
}

/// The plan, and the results under their numbers.
fn results(children: Vec<Told>) -> Vec<String> {
    let mut lines = vec![format!("1..{}", children.len())];
    for (number, child) in (1..).zip(children) {
        let Told { before, status, name, note } = child;
        lines.extend(before);
        let result = if status == Status::Bad { "not ok" } else { "ok" };
        let skip = if status == Status::Skipped { "SKIP " } else { "" };
        let note = format!("{skip}{note}");
        let note = if note.is_empty() { note } else { format!(" # {note}") };
        lines.push(format!("{result} {number} {name}{note}").trim_end().to_owned());
    }
    lines
}

/// In one line, without `#`: the kernel's reader finds a ` # SKIP` even behind a first `#`, and takes a failure for a skip.
fn bare(text: &str) -> String {
    in_one_line(text).replace('#', "\\x23")
}

/// A description is anything but `#` in one line; a dash before it would be taken for TAP's.
fn name(text: &str) -> String {
    let name = bare(text);
    let name = name.trim_start_matches(['-', ' ']).trim_end();
    if name.is_empty() { "?".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
#[path = "ktap_tests.rs"]
mod tests;
