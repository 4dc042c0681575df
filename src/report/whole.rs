//! For people, of a run that is known as a whole: as it would have been told while it went on.

use super::matrix::{Cell, Column, Matrix, Row, layout, marked_in};
use super::pretty;
use super::visible::{cut, in_one_line, visible};

/// The most of one claim's drawing, in characters: a report may come from anywhere.
const DRAWN: usize = 20_000;

/// Its lines, of at most so many columns where it is a matrix.
pub fn whole(matrix: &Matrix, width: usize) -> Vec<String> {
    let mut lines = match matrix.columns.as_slice() {
        [column] => by_scenario(matrix, column),
        _ => vec![layout(matrix, width).trim_end().to_owned()],
    };
    let evidence = evidence(matrix);
    lines.extend(pretty::closing(&matrix.summary, matrix.took, evidence.is_empty()));
    lines.extend(evidence);
    lines
}

fn by_scenario(matrix: &Matrix, column: &Column) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = None;
    for row in &matrix.rows {
        let Some(cell) = row.cells.first().and_then(Option::as_ref) else { continue };
        let heading = in_one_line(&row.heading());
        if last.as_ref() != Some(&heading) {
            lines.push(format!("{}{heading}", if last.is_some() { "\n" } else { "" }));
            last = Some(heading);
        }
        lines.push(line(row, column, cell));
    }
    lines
}

fn line(row: &Row, column: &Column, cell: &Cell) -> String {
    let reason = cell.reason.as_ref().map(|reason| format!(": {}", in_one_line(reason)));
    let sentence = in_one_line(row.sentence());
    let word = marked_in(cell.mark, cell.mark.ended().word(), 12);
    format!("  {word} {sentence}{}{}", pretty::told_on(column), reason.unwrap_or_default())
}

/// What is red, drawn where it was drawn.
fn evidence(matrix: &Matrix) -> Vec<String> {
    let red = matrix.cells().filter(|(_, _, cell)| cell.mark.is_red());
    red.map(|(row, column, cell)| {
        let plain = || format!("{}: {} [{}]: {}", cell.mark.word(), row.name, column.name, cell.summary());
        format!("\n{}", visible(&cut(&cell.drawn.clone().unwrap_or_else(plain), DRAWN)))
    })
    .collect()
}
