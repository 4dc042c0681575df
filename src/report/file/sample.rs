//! For tests of the forms: a run with everything that can become of a claim, and texts that lead astray who does not look.

use std::time::Duration;

use serde_json::json;

use crate::engine::{Summary, Trouble};
use crate::expect::Span;
use crate::judge::{Evidence, Finding};
use crate::plan::{How, Parts};
use crate::report::matrix::{About, Cell, Column, Machine, Mark, Matrix, Row};

/// Names that somebody may give: they look like lines of the forms, like markup, like commands of a terminal.
pub(super) const NAMES: [&str; 6] = [
    "holds # SKIP not at all",
    "a\nok 99 forged\r\n1..0\n::error::x\nBail out!",
    "\u{1b}[31m\0\u{7f}\u{9b}\u{202e}\u{fffe}\u{ffff}\u{85}\u{2028}",
    "</testcase>]]>&<!--\"'",
    "50% \\ : , :: %0A \\# ✓ 名前",
    " - # Subtest: KTAP version 1 ",
];

/// A run on two kernels.
pub(super) fn hostile() -> Matrix {
    use Mark::{Broken, Crashed, Failed, KnownIssue, NotMeasured, Passed, Skipped};
    let marks = [
        [Some(Passed), Some(Failed)],
        [Some(Passed), None],
        [Some(Broken), Some(Broken)],
        [Some(Crashed), Some(Skipped)],
        [Some(KnownIssue), Some(NotMeasured)],
        [Some(Skipped), Some(Skipped)],
    ];
    let columns = ["6.1.0-55", "6.1.0-56"].map(|kernel| Column::new("native", Some(kernel))).into();
    let rows = marks.into_iter().enumerate().map(|(place, marks)| row(place, marks)).collect();
    let machines = vec![Machine { kernel: "6.18.44".to_owned(), user: "uid 1000".to_owned() }];
    let parts = Parts { how: How::Count, of: 3, numbers: vec![2], plan: "abc".to_owned() };
    let matrix = Matrix { columns, rows, machines, parts: vec![parts], ..Matrix::default() };
    Matrix { summary: summary(&matrix), took: Duration::from_millis(1234), ..matrix }
}

fn row(place: usize, marks: [Option<Mark>; 2]) -> Row {
    let name = NAMES[place];
    let about = About {
        area: "pid".to_owned(),
        file: format!("specs/p d/{}.yaml", if place == 1 { "a,b:c%" } else { "one" }),
        line: place + 7,
        scenario: NAMES[5 - place].to_owned(),
        claim: name.to_owned(),
        why: Some(format!("Because of {name}.")),
        see: vec!["man:pid_namespaces(7)".to_owned()],
        tags: vec!["smoke".to_owned()],
    };
    let cells = marks.iter().map(|mark| mark.map(cell)).collect();
    Row {
        name: format!("pid/one::{}::{name}", NAMES[5 - place]),
        place: place * 2,
        about: Some(about),
        cells,
    }
}

fn cell(mark: Mark) -> Cell {
    let hostile = NAMES.join("\n");
    let need = |need: &str| (Some(need.to_owned()), Some(format!("{need}: {hostile}")));
    let (need, reason) = match mark {
        Mark::Skipped => need("kernel >= 6.7"),
        Mark::KnownIssue => need("known issue"),
        Mark::NotMeasured => (None, Some(hostile.clone())),
        _ => (None, None),
    };
    let red = mark.is_red();
    Cell {
        took: Duration::from_millis(17),
        need,
        reason,
        trouble: red.then(|| trouble(&hostile)),
        // As much as a command may write.
        drawn: red.then(|| format!("error: {hostile}\n{}", "x\u{1b}\n".repeat(50 << 10))),
        observed: vec![evidence(&hostile)],
        ..Cell::of(mark)
    }
}

fn evidence(hostile: &str) -> Evidence {
    let (view, fact, note) = ("inside".to_owned(), "pid".to_owned(), hostile.to_owned());
    Evidence { view, fact, value: Some(json!({ "a": hostile, "b": u64::MAX })), note }
}

fn trouble(hostile: &str) -> Trouble {
    let finding = Finding {
        at: Span { line: 3, column: 1, length: 2 },
        label: format!("expected 1, observed {hostile}"),
        fact: "pid".to_owned(),
        expected: "1".to_owned(),
        actual: Some(json!(hostile)),
        missing: vec![json!(1)],
        extra: Vec::new(),
        diff: Some(hostile.to_owned()),
        evidence: vec![evidence(hostile)],
        hint: None,
    };
    Trouble { findings: vec![finding], message: Some(hostile.to_owned()), kept: None }
}

/// The numbers of a matrix.
pub(super) fn summary(matrix: &Matrix) -> Summary {
    let mut summary = Summary { sandboxes: 9, controls: 2, ..Summary::default() };
    for cell in matrix.rows.iter().flat_map(|row| row.cells.iter().flatten()) {
        *summary.counts.entry(cell.mark.ended()).or_default() += 1;
        if let Some(reason) = &cell.reason {
            *summary.reasons.entry(reason.clone()).or_default() += 1;
        }
    }
    summary
}
