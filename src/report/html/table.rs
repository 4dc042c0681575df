//! The tables of the page, which need no script: every claim on every runtime, and the numbers.

use std::fmt::Write as _;

use super::escape::html;
use crate::report::matrix::{Cell, Mark, Matrix, Row};

/// How many runtimes there may be for cells to have room for a word beside their symbol.
const WORDY: usize = 6;

/// Claims as rows, in a `tbody` for each scenario.
pub(super) fn table(matrix: &Matrix) -> String {
    let wide = if matrix.columns.len() <= WORDY { " class=\"wordy\"" } else { "" };
    let mut text = format!(
        "<table id=\"matrix\"{wide}>\n<caption class=\"unseen\">What became of each claim on each runtime</caption>\n"
    );
    text.push_str("<thead><tr><th scope=\"col\">Claim</th>");
    for column in &matrix.columns {
        let _ = write!(text, "<th scope=\"col\">{}</th>", html(&column.name));
    }
    text.push_str("</tr></thead>\n");
    let mut last = None;
    for (number, row) in matrix.rows.iter().enumerate() {
        let heading = row.heading();
        if last.as_ref() != Some(&heading) {
            text.push_str(if last.is_some() { "</tbody>\n" } else { "" });
            scenario(&mut text, row, matrix.columns.len() + 1);
            last = Some(heading);
        }
        claim(&mut text, number, row);
    }
    text.push_str(if last.is_some() { "</tbody>\n</table>" } else { "</table>" });
    text
}

fn scenario(text: &mut String, row: &Row, columns: usize) {
    let about = row.about.as_ref();
    let (file, scenario) = about.map_or(("", row.name.as_str()), |about| (&about.file, &about.scenario));
    let (file, scenario) = (html(file), html(scenario));
    let _ = writeln!(
        text,
        "<tbody><tr class=\"scenario\"><th scope=\"rowgroup\" colspan=\"{columns}\"><div>{scenario} <small>{file}</small></div></th></tr>"
    );
}

fn claim(text: &mut String, number: usize, row: &Row) {
    let differs = if row.differs() { " <em>differs</em>" } else { "" };
    let _ =
        write!(text, "<tr data-row=\"{number}\"><th scope=\"row\">{}{differs}</th>", html(row.sentence()));
    for found in &row.cells {
        text.push_str(&found.as_ref().map_or_else(none, cell));
    }
    text.push_str("</tr>\n");
}

fn cell(cell: &Cell) -> String {
    let (key, symbol, word) = (cell.mark.key(), cell.mark.symbol(), cell.mark.word());
    format!("<td class=\"{key}\"><i aria-hidden=\"true\">{symbol}</i> <span>{word}</span></td>")
}

fn none() -> String {
    "<td class=\"none\"><span>not for this runtime</span></td>".to_owned()
}

/// How many claims ended how on each runtime, with a bar.
pub(super) fn numbers(matrix: &Matrix) -> String {
    let many = if matrix.columns.len() > WORDY { " many" } else { "" };
    let mut text = format!(
        "<table class=\"numbers{many}\">\n<caption class=\"unseen\">How many claims ended how on each runtime</caption>\n\
                    <thead><tr><th scope=\"col\">Runtime</th><td></td>"
    );
    let marks = matrix.counted();
    for mark in &marks {
        let _ = write!(text, "<th scope=\"col\">{}</th>", mark.word());
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for (column, on) in matrix.columns.iter().enumerate() {
        let counts: Vec<_> = marks.iter().map(|mark| (*mark, matrix.count(column, *mark))).collect();
        let _ = write!(text, "<tr><th scope=\"row\">{}</th><td>{}</td>", html(&on.name), bar(&counts));
        for (mark, count) in counts {
            let class = if count == 0 { "zero" } else { mark.key() };
            let _ = write!(text, "<td class=\"{class}\">{count}</td>");
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table>");
    text
}

/// The shares as a strip. Its widths are attributes of SVG, since the policy lets no element have a style of its own.
fn bar(counts: &[(Mark, usize)]) -> String {
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let mut text =
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            .to_owned();
    let mut before = 0;
    for (mark, count) in counts.iter().filter(|(_, count)| *count > 0) {
        let place = |number: usize| number * 1000 / all.max(1);
        let (start, end) = (place(before), place(before + count));
        let (key, width) = (mark.key(), (end - start).max(2));
        let _ = write!(text, "<rect class=\"{key}\" x=\"{start}\" width=\"{width}\" height=\"10\"/>");
        before += count;
    }
    text.push_str("</svg>");
    text
}
