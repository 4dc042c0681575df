//! Tables for a document: `--report markdown=FILE`. What each runtime gives by area, what is red, and what is known.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::report::matrix::{BetweenKernels, Mark, Matrix, Row};

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let mut text = between(matrix);
    text.push_str(&areas(matrix));
    text.push_str("\n## Red\n\n");
    text.push_str(&red(matrix));
    text.push_str("\n## Known issues\n\n");
    text.push_str(&known(matrix));
    text
}

/// What kernels do not agree on, before everything else; nothing where there is but one.
fn between(matrix: &Matrix) -> String {
    let found = BetweenKernels::of(matrix);
    let mut text = String::new();
    if !found.differing.is_empty() {
        text.push_str("## Where kernels differ\n\n| claim | kernels |\n| --- | --- |\n");
        for (row, sentences) in &found.differing {
            let sentences: Vec<String> = sentences.iter().map(|sentence| cell(sentence)).collect();
            let _ = writeln!(text, "| {} | {} |", cell(&row.name), sentences.join("; "));
        }
        text.push('\n');
    }
    if !found.skipped.is_empty() {
        text.push_str("## Not measured on some kernels\n\n| kernel and reason | claims |\n| --- | ---: |\n");
        for (reason, count) in &found.skipped {
            let _ = writeln!(text, "| {} | {count} |", cell(reason));
        }
        text.push('\n');
    }
    if text.is_empty() { text } else { text + "## By area\n\n" }
}

/// A line for each area: of the claims that were judged, how many ended how.
fn areas(matrix: &Matrix) -> String {
    let mut areas: IndexMap<&str, Vec<&Row>> = IndexMap::new();
    for row in &matrix.rows {
        areas.entry(row.about.as_ref().map_or("?", |about| &about.area)).or_default().push(row);
    }
    let names: Vec<String> = matrix.columns.iter().map(|column| cell(&column.name)).collect();
    let mut text = format!("| area | {} |\n| --- |{}\n", names.join(" | "), " --- |".repeat(names.len()));
    for (area, rows) in &areas {
        line(&mut text, &format!("`{area}`"), rows, names.len());
    }
    line(&mut text, "all", &matrix.rows.iter().collect::<Vec<_>>(), names.len());
    text
}

fn line(text: &mut String, name: &str, rows: &[&Row], columns: usize) {
    let cells = (0..columns).map(|column| tally(rows, column)).collect::<Vec<_>>();
    // Writing to a text does not fail.
    let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
}

/// `34 ✓ 2 ~ 1 ✗`; nothing of what did not occur, and a dash where nothing was judged.
fn tally(rows: &[&Row], column: usize) -> String {
    let count = |mark| rows.iter().filter(|row| row.mark(column) == Some(mark)).count();
    let judged = [Mark::Passed, Mark::KnownIssue, Mark::Failed, Mark::Crashed, Mark::Broken];
    let counts = judged.into_iter().map(|mark| (mark, count(mark))).filter(|(_, count)| *count > 0);
    let tally: Vec<String> = counts.map(|(mark, count)| format!("{count} {}", mark.symbol())).collect();
    if tally.is_empty() { "–".to_owned() } else { tally.join(" ") }
}

fn red(matrix: &Matrix) -> String {
    let rows = matrix.rows.iter().filter(|row| (0..matrix.columns.len()).any(|column| is_red(row, column)));
    let mut text = String::from("| claim | on |\n| --- | --- |\n");
    for row in rows {
        let marks = matrix.columns.iter().enumerate().filter(|(place, _)| is_red(row, *place));
        let on: Vec<String> = marks
            .map(|(place, on)| format!("{} {}", cell(&on.name), row.mark(place).map_or(' ', Mark::symbol)))
            .collect();
        let _ = writeln!(text, "| {} | {} |", cell(&row.name), on.join(", "));
    }
    text
}

fn is_red(row: &Row, column: usize) -> bool {
    row.mark(column).is_some_and(Mark::is_red)
}

/// Each reason once for each runtime, with the number of claims.
fn known(matrix: &Matrix) -> String {
    let mut text = String::from("| runtime | what is known | claims |\n| --- | --- | ---: |\n");
    for (column, on) in matrix.columns.iter().enumerate() {
        let mut reasons: IndexMap<&str, usize> = IndexMap::new();
        let cells = matrix.rows.iter().filter_map(|row| row.cells.get(column)?.as_ref());
        for cell in cells.filter(|cell| cell.mark == Mark::KnownIssue) {
            *reasons.entry(cell.reason.as_deref().unwrap_or_default()).or_default() += 1;
        }
        for (reason, count) in reasons {
            let _ = writeln!(text, "| {} | {} | {count} |", cell(&on.name), cell(reason));
        }
    }
    text
}

/// A text in a table's cell: names of claims come from anyone.
fn cell(text: &str) -> String {
    let special = |character: char| {
        matches!(character, '\\' | '`' | '*' | '_' | '|' | '<' | '[')
            .then_some('\\')
            .into_iter()
            .chain([character])
    };
    text.chars().filter(|character| !character.is_control()).flat_map(special).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::matrix::{About, Cell, Column};

    fn row(claim: &str, marks: [Option<Mark>; 2]) -> Row {
        let reason = |mark| (mark == Mark::KnownIssue).then(|| "it | does".to_owned());
        let cell = |mark| Cell { reason: reason(mark), ..Cell::of(mark) };
        let about = About { area: "pid".to_owned(), ..About::default() };
        let cells = marks.map(|mark| mark.map(cell)).into();
        Row { name: claim.to_owned(), about: Some(about), cells, ..Row::default() }
    }

    #[test]
    fn each_runtime_is_told_by_area() {
        let rows = vec![
            row("is 1", [Some(Mark::Passed), Some(Mark::Failed)]),
            row("is <2>", [Some(Mark::KnownIssue), Some(Mark::Broken)]),
            row("is 3", [Some(Mark::Skipped), None]),
        ];
        let columns = ["runc", "bwrap"].map(|name| Column::new(name, None)).into();
        let told = document(&Matrix { columns, rows, ..Matrix::default() });
        let expected = "| area | runc | bwrap |
| --- | --- | --- |
| `pid` | 1 ✓ 1 ~ | 1 ✗ 1 ! |
| all | 1 ✓ 1 ~ | 1 ✗ 1 ! |

## Red

| claim | on |
| --- | --- |
| is 1 | bwrap ✗ |
| is \\<2> | bwrap ! |

## Known issues

| runtime | what is known | claims |
| --- | --- | ---: |
| runc | it \\| does | 1 |
";
        assert_eq!(told, expected);
    }
}
