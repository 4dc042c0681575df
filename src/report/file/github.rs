//! Annotations of a pull request: `--report github=/dev/stdout` in a step of a GitHub workflow. Each line is a workflow command
//! (docs.github.com, "Workflow commands for GitHub Actions").

use std::fmt::Write as _;

use crate::report::matrix::{Cell, Column, Mark, Matrix, Row};
use crate::report::visible::{cut, visible};

/// How many errors GitHub shows of one step; it drops further ones in silence. The last tells how many more there are.
const SHOWN: usize = 10;

/// The most of one annotation, in characters: GitHub cuts a message at 64 KiB, and no one reads as much.
const MESSAGE: usize = 2000;

/// The document's text: one command for each claim that is red somewhere.
pub(super) fn document(matrix: &Matrix) -> String {
    let red: Vec<&Row> = matrix.rows.iter().filter(|row| row.cells.iter().flatten().any(is_red)).collect();
    let told = if red.len() > SHOWN { SHOWN - 1 } else { red.len() };
    let mut text: String = red[..told].iter().map(|row| error(row, matrix)).collect();
    if red.len() > told {
        let more = red.len() - told;
        let _ =
            writeln!(text, "::error title=airtight::{more} more claims are red: see the report of the run");
    }
    text
}

fn is_red(cell: &Cell) -> bool {
    cell.mark.is_red()
}

fn error(row: &Row, matrix: &Matrix) -> String {
    let red: Vec<(&Column, &Cell)> = matrix
        .columns
        .iter()
        .zip(&row.cells)
        .filter_map(|(column, cell)| Some((column, cell.as_ref().filter(|cell| is_red(cell))?)))
        .collect();
    let worst = red.iter().map(|(_, cell)| cell.mark).min().unwrap_or(Mark::Failed);
    let title = property(&format!("{}: {}", worst.word(), row.sentence()));
    let place =
        row.about.as_ref().map(|about| format!("file={},line={},", property(&about.file), about.line));
    format!("::error {}title={title}::{}\n", place.unwrap_or_default(), data(&message(row, &red)))
}

/// Where, what, and why it matters.
fn message(row: &Row, red: &[(&Column, &Cell)]) -> String {
    let one = |(column, cell): &(&Column, &Cell)| {
        format!("{}: {}: {}", column.name, cell.mark.word(), cell.summary())
    };
    let mut lines: Vec<String> = red.iter().map(one).collect();
    lines.push(row.name.clone());
    lines.extend(row.about.as_ref().and_then(|about| about.why.clone()));
    lines.join("\n")
}

/// What stands behind the `::`.
fn data(text: &str) -> String {
    visible(&cut(text, MESSAGE)).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::file::sample;

    /// The properties and the message of a line, read as the runner reads it (actions/runner, ActionCommand.cs).
    fn read(line: &str) -> (Vec<(String, String)>, String) {
        let unescape = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
        let unescape_property = |text: &str| unescape(&text.replace("%3A", ":").replace("%2C", ","));
        let (head, message) = line.strip_prefix("::error ").and_then(|rest| rest.split_once("::")).unwrap();
        let pairs = head.split(',').map(|pair| pair.split_once('=').unwrap());
        let pairs = pairs.map(|(name, value)| (name.to_owned(), unescape_property(value))).collect();
        (pairs, unescape(message))
    }

    #[test]
    fn hostile_names_change_nothing_of_the_form() {
        let text = document(&sample::hostile());
        let read: Vec<_> = text.lines().map(read).collect();
        assert_eq!(read.len(), 3, "{text}");
        let names = |at: usize| read[at].0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(1), ["file", "line", "title"]);
        assert_eq!(read[0].0[0].1, "specs/p d/one.yaml");
        assert_eq!(read[0].0[1].1, "7");
        assert_eq!(read[0].0[2].1, "failed: holds # SKIP not at all");
        assert!(read[2].0[2].1.starts_with("crashed: </testcase>"), "{text}");
        assert!(read[2].1.starts_with("native on 6.1.0-55: crashed: pid: expected 1"), "{text}");
        assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'));
    }

    #[test]
    fn properties_and_messages_are_escaped_as_github_says() {
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
        assert_eq!(data("a,b:c%\n::error::x"), "a,b:c%25%0A::error::x");
    }

    #[test]
    fn what_github_would_drop_is_counted() {
        let row = sample::hostile().rows[0].clone();
        let columns = sample::hostile().columns;
        let lines = |count: usize| {
            let matrix =
                Matrix { rows: vec![row.clone(); count], columns: columns.clone(), ..Matrix::default() };
            document(&matrix).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((lines(0).len(), lines(10).len(), lines(11).len(), lines(500).len()), (0, 10, 10, 10));
        assert!(lines(500)[9].ends_with("::491 more claims are red: see the report of the run"));
    }
}
