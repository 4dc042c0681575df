//! A matrix as lines of a terminal: first the claims in which runtimes differ, then those in which they are alike.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::between::BetweenKernels;
use super::columns::Columns;
use super::table::{Mark, Matrix, Row};
use crate::report::visible::in_one_line;

/// The whole, in lines of at most so many columns, with styles. Only a heading, which is a path and a sentence, may be longer.
pub fn layout(matrix: &Matrix, width: usize) -> String {
    let sentences = matrix.rows.iter().map(|row| row.sentence().width()).max().unwrap_or(0);
    let names: Vec<String> = matrix.columns.iter().map(|column| in_one_line(&column.name)).collect();
    let columns = Columns::new(&names, INDENT + sentences, width);
    let (differing, alike): (Vec<&Row>, Vec<&Row>) = matrix.rows.iter().partition(|row| row.differs());
    let mut text = String::new();
    text.push_str(&key(&columns, width));
    let between = BetweenKernels::of(matrix);
    section(&mut text, ["differs", "differ"], &differing, &columns, matrix);
    kernels(&mut text, &between, width);
    section(&mut text, ["does not differ", "do not differ"], &alike, &columns, matrix);
    let _ = writeln!(text, "{}\n", legend(matrix, width));
    text.push_str(&numbers(matrix, &columns));
    text
}

/// What a claim's sentence is indented by, below its scenario.
const INDENT: usize = 2;

/// What a line that goes on is indented by.
const GOES_ON: usize = 4;

/// What the letters stand for, if there are any, in lines that fit.
fn key(columns: &Columns, width: usize) -> String {
    if columns.has_names() {
        return String::new();
    }
    let mut lines = vec![String::new()];
    for name in columns.names() {
        let line = lines.last().map_or(0, |line| line.width());
        if line > 0 && line + 3 + name.width() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { "   " });
            line.push_str(&name);
        }
    }
    format!("{}\n\n", lines.join("\n"))
}

fn section(text: &mut String, verbs: [&str; 2], rows: &[&Row], columns: &Columns, matrix: &Matrix) {
    if rows.is_empty() {
        return;
    }
    let bold = Style::new().bold();
    let verb = verbs[usize::from(rows.len() != 1)];
    let title = format!("{} of {} claims {verb}", rows.len(), matrix.rows.len());
    let _ = writeln!(text, "{bold}{}{bold:#}{}", padded(&title, columns.claim), columns.head());
    let mut last = None;
    for row in rows {
        let heading = in_one_line(&row.heading());
        if last.as_ref() != Some(&heading) {
            let _ = writeln!(text, "{heading}");
            last = Some(heading);
        }
        line(text, row, columns);
    }
    text.push('\n');
}

/// What kernels do not agree on, claim by claim, and what was not measured on some of them.
fn kernels(text: &mut String, between: &BetweenKernels<'_>, width: usize) {
    let mut paragraph = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "{title}\n{}\n", lines.join("\n"));
        }
    };
    let told = between.differing.iter().flat_map(|(row, sentences)| {
        let below = |sentence: &String| wrap(&in_one_line(sentence), width.saturating_sub(INDENT));
        let sentences = sentences.iter().flat_map(below).map(|line| format!("{}{line}", " ".repeat(INDENT)));
        wrap(&in_one_line(row.sentence()), width).into_iter().chain(sentences).collect::<Vec<_>>()
    });
    paragraph("Where kernels differ:", told.collect());
    let skipped =
        between.skipped.iter().map(|(reason, count)| format!("  {count:>4} × {}", in_one_line(reason)));
    paragraph("Not measured on some kernels:", skipped.collect());
}

fn line(text: &mut String, row: &Row, columns: &Columns) {
    let mut parts = wrap(&in_one_line(row.sentence()), columns.claim.saturating_sub(1)).into_iter();
    let first = parts.next().unwrap_or_default();
    let cells: String = (0..columns.labels.len()).map(|place| columns.cell(place, row.mark(place))).collect();
    let _ = writeln!(text, "{}{}", padded(&first, columns.claim), cells.trim_end());
    for part in parts {
        let _ = writeln!(text, "{part}");
    }
}

/// A sentence in lines of at most so many columns, each with its indentation; a word that is longer than a line is cut.
fn wrap(sentence: &str, width: usize) -> Vec<String> {
    let mut lines = vec![" ".repeat(INDENT)];
    let mut fresh = true;
    for word in sentence.split_whitespace() {
        for piece in pieces(word, width.saturating_sub(GOES_ON).max(2)) {
            let line = lines.last_mut().map_or(0, |line| line.width());
            if !fresh && line + 1 + piece.width() > width {
                lines.push(" ".repeat(GOES_ON));
                fresh = true;
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(if fresh { "" } else { " " });
                line.push_str(&piece);
            }
            fresh = false;
        }
    }
    lines
}

fn pieces(word: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for letter in word.chars() {
        let wide = letter.width().unwrap_or(0);
        if used + wide > width {
            pieces.push(String::new());
            used = 0;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
        used += wide;
    }
    pieces
}

/// Filled up with spaces.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// What a mark looks like.
pub(super) fn style(mark: Mark) -> Style {
    let color = match mark {
        Mark::Passed => AnsiColor::Green,
        Mark::Failed | Mark::Crashed | Mark::Broken => AnsiColor::Red,
        Mark::KnownIssue => AnsiColor::Magenta,
        Mark::Skipped | Mark::NotMeasured => AnsiColor::Yellow,
    };
    color.on_default()
}

/// Its word in its colour, as wide as the widest of them.
pub fn marked(mark: Mark) -> String {
    marked_in(mark, mark.word(), Mark::WIDEST)
}

/// A word in the colour of a mark, in so many columns.
pub fn marked_in(mark: Mark, word: &str, width: usize) -> String {
    let style = style(mark);
    format!("{style}{word:<width$}{style:#}")
}

/// What the marks mean, only those that are there.
fn legend(matrix: &Matrix, width: usize) -> String {
    let there = |mark: &Mark| (0..matrix.columns.len()).any(|column| matrix.count(column, *mark) > 0);
    let mut parts: Vec<String> = Mark::ALL
        .into_iter()
        .filter(there)
        .map(|mark| format!("{}{}{:#} {}", style(mark), mark.symbol(), style(mark), mark.word()))
        .collect();
    if matrix.rows.iter().any(|row| row.cells.iter().any(Option::is_none)) {
        parts.push("(blank) its spec names other runtimes".to_owned());
    }
    let whole = parts.join("   ");
    if anstream::adapter::strip_str(&whole).to_string().width() <= width { whole } else { parts.join("\n") }
}

/// How many claims ended how on each runtime.
fn numbers(matrix: &Matrix, columns: &Columns) -> String {
    let names = columns.names();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let marks = matrix.counted();
    let head = marks.iter().map(|mark| mark.word()).collect::<Vec<_>>().join("  ");
    let mut text = format!("{}  {head}\n", " ".repeat(widest));
    for (column, name) in names.iter().enumerate() {
        text.push_str(&padded(name, widest));
        for mark in marks.iter().copied() {
            let count = matrix.count(column, mark);
            let style = if count == 0 { Style::new() } else { style(mark) };
            let _ = write!(text, "  {style}{count:>0$}{style:#}", mark.word().len());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
