//! TAP version 14: `--report tap=FILE` (<https://testanything.org/tap-version-14-specification.html>). What is red has a YAML block.

use std::fmt::Write as _;

use serde::Serialize;

use crate::report::matrix::{Cell, Column, Mark, Matrix, Row};
use crate::report::visible::{cut, in_one_line, visible};

/// The most of one claim's drawing, in characters.
const DRAWN: usize = 8000;

/// What is told of a claim that is red.
#[derive(Serialize)]
struct Diagnostic<'a> {
    message: String,
    severity: &'a str,
    runtime: String,
    kernel: Option<String>,
    at: At,
    evidence: String,
}

#[derive(Serialize)]
struct At {
    file: String,
    line: usize,
}

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let mut body = String::new();
    let mut count = 0;
    for (row, column, cell) in matrix.cells() {
        count += 1;
        result(&mut body, count, row, column, cell);
    }
    format!("TAP version 14\n1..{count}\n{body}")
}

fn result(text: &mut String, number: usize, row: &Row, column: &Column, cell: &Cell) {
    let name = escaped(&format!("{} [{}]", row.name, column.name));
    let reason = escaped(cell.reason.as_deref().unwrap_or_default());
    let (result, directive) = match cell.mark {
        Mark::Passed => ("ok", String::new()),
        Mark::Skipped | Mark::NotMeasured => ("ok", format!(" # SKIP {reason}")),
        // TAP's own directive for what is known to fail, and does: `TODO`, which does not make the run red.
        Mark::KnownIssue => ("not ok", format!(" # TODO {reason}")),
        Mark::Failed | Mark::Crashed | Mark::Broken => ("not ok", String::new()),
    };
    // Writing to a text does not fail.
    let _ = writeln!(text, "{result} {number} - {name}{directive}");
    if cell.mark.is_red() {
        let yaml = serde_yaml::to_string(&diagnostic(row, column, cell)).unwrap_or_default();
        let lines: Vec<&str> = yaml.lines().collect();
        let _ = writeln!(text, "  ---\n  {}\n  ...", lines.join("\n  "));
    }
}

fn diagnostic<'a>(row: &Row, column: &Column, cell: &Cell) -> Diagnostic<'a> {
    let about = row.about.as_ref();
    Diagnostic {
        message: in_one_line(&cell.summary()),
        severity: cell.mark.word(),
        runtime: in_one_line(&column.runtime),
        kernel: column.kernel.as_deref().map(in_one_line),
        at: At {
            file: about.map(|about| in_one_line(&about.file)).unwrap_or_default(),
            line: about.map_or(0, |about| about.line),
        },
        evidence: visible(&cut(cell.drawn.as_deref().unwrap_or_default(), DRAWN)),
    }
}

/// In a description a `#` begins a directive, unless a backslash stands before it (TAP 14, Escaping).
fn escaped(text: &str) -> String {
    in_one_line(text).replace('\\', "\\\\").replace('#', "\\#").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::file::sample;

    /// Good, bad, to do and skipped, of a text that keeps to the form in every line.
    fn read(text: &str) -> [usize; 4] {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("TAP version 14"));
        let plan: usize = lines.next().unwrap().strip_prefix("1..").unwrap().parse().unwrap();
        let (mut counts, mut number) = ([0; 4], 0);
        while let Some(line) = lines.next() {
            if line == "  ---" {
                let yaml: Vec<&str> = lines.by_ref().take_while(|line| *line != "  ...").collect();
                assert!(yaml.iter().all(|line| line.starts_with("  ")), "{yaml:?}");
                let value: serde_yaml::Value = serde_yaml::from_str(&yaml.join("\n")).unwrap();
                assert!(value["at"]["line"].as_u64().unwrap() > 0 && value["severity"].is_string());
                continue;
            }
            number += 1;
            let (good, rest) = line.strip_prefix("not ").map_or((true, line), |rest| (false, rest));
            let name = rest.strip_prefix(&format!("ok {number} - ")).unwrap_or_else(|| panic!("{line:?}"));
            let bare = name.replace("\\\\", "").replace("\\#", "");
            let directive = bare.split_once(" # ").map(|(_, directive)| &directive[..4]);
            assert_eq!(bare.matches('#').count(), usize::from(directive.is_some()), "{line:?}");
            counts[match (good, directive) {
                (true, None) => 0,
                (false, None) => 1,
                (false, Some("TODO")) => 2,
                (true, Some("SKIP")) => 3,
                _ => panic!("{line:?}"),
            }] += 1;
        }
        assert_eq!(number, plan);
        counts
    }

    #[test]
    fn hostile_names_change_nothing_of_the_form() {
        let text = document(&sample::hostile());
        assert_eq!(read(&text), [2, 4, 1, 4]);
        assert!(text.len() < 250_000, "what is long is cut");
    }

    #[test]
    fn a_run_of_nothing_is_still_a_document() {
        assert_eq!(document(&Matrix::default()), "TAP version 14\n1..0\n");
    }
}
