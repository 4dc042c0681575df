//! `JUnit`'s XML: `--report junit=FILE`. A suite for each column, with its runtime and kernel as properties. It keeps to the schema of
//! Jenkins' xUnit plugin (junit-10.xsd). XML has neither control characters nor U+FFFE and U+FFFF, in whatever spelling (XML 1.0, 2.2): those are
//! spelled out before.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::report::matrix::{Cell, Column, Mark, Matrix, Row};
use crate::report::visible::{cut, in_one_line, visible};

/// The most of one claim's drawing, in characters.
const DRAWN: usize = 16_000;

/// The document's text.
pub(super) fn document(matrix: &Matrix) -> String {
    let mut report = Report::new("airtight");
    report.set_time(matrix.took);
    for (place, column) in matrix.columns.iter().enumerate() {
        report.add_test_suite(suite(matrix, place, column));
    }
    // Texts in memory: nothing in it can fail to be written.
    without_skipped(&report.to_string().unwrap_or_default())
}

/// The schema has a number of what was skipped on each suite, but none on the whole.
fn without_skipped(xml: &str) -> String {
    let Some((start, rest)) = xml.split_once("<testsuites ") else { return xml.to_owned() };
    let (head, body) = rest.split_once('>').unwrap_or((rest, ""));
    let kept: Vec<&str> = head.split(' ').filter(|word| !word.starts_with("skipped=")).collect();
    format!("{start}<testsuites {}>{body}", kept.join(" "))
}

fn suite(matrix: &Matrix, place: usize, column: &Column) -> TestSuite {
    let mut suite = TestSuite::new(in_one_line(&column.name));
    let here: Vec<&str> = matrix.machines.iter().map(|machine| machine.kernel.as_str()).collect();
    let kernel = column.kernel.clone().unwrap_or_else(|| here.join(", "));
    suite.add_property(("runtime", in_one_line(&column.runtime).as_str()));
    suite.add_property(("kernel", in_one_line(&kernel).as_str()));
    suite.add_property(("airtight", env!("CARGO_PKG_VERSION")));
    let mut took = std::time::Duration::ZERO;
    for row in &matrix.rows {
        if let Some(cell) = row.cells.get(place).and_then(Option::as_ref) {
            took += cell.took;
            suite.add_test_case(case(row, cell));
        }
    }
    suite.set_time(took);
    suite
}

fn case(row: &Row, cell: &Cell) -> TestCase {
    let mut case = TestCase::new(in_one_line(row.sentence()), status(row, cell));
    let class = row.name.strip_suffix(row.sentence()).and_then(|class| class.strip_suffix("::"));
    case.set_classname(in_one_line(class.unwrap_or(&row.name)));
    case.set_time(cell.took);
    case
}

/// What failed is a failure; what could not be observed, and a crash, an error.
fn status(row: &Row, cell: &Cell) -> TestCaseStatus {
    let kind = match cell.mark {
        Mark::Passed => return TestCaseStatus::success(),
        Mark::KnownIssue | Mark::Skipped | Mark::NotMeasured => return skipped(cell),
        Mark::Failed => NonSuccessKind::Failure,
        Mark::Crashed | Mark::Broken => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(cell.mark.key()).set_message(in_one_line(&cell.summary()));
    let place =
        row.about.as_ref().map(|about| format!("{}:{}\n", about.file, about.line)).unwrap_or_default();
    let drawn = cut(cell.drawn.as_deref().unwrap_or_default(), DRAWN);
    status.set_description(visible(&format!("{place}{drawn}")));
    status
}

fn skipped(cell: &Cell) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(cell.mark.key()).set_message(in_one_line(cell.reason.as_deref().unwrap_or_default()));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::file::sample;

    #[test]
    fn hostile_names_change_nothing_of_the_form() {
        let xml = document(&sample::hostile());
        let report = Report::deserialize_from_str(&xml).unwrap();
        let [one, other] = report.test_suites.as_slice() else { panic!("{xml}") };
        let counts = |suite: &TestSuite| [suite.tests, suite.failures, suite.errors, suite.skipped];
        assert_eq!((counts(one), counts(other)), ([6, 0, 2, 2], [5, 1, 1, 3]));
        assert_eq!(one.properties[1].value.as_str(), "6.1.0-55");
        let names: Vec<&str> = one.test_cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names[3], "</testcase>]]>&<!--\"'");
        assert_eq!(names[1], r"a\nok 99 forged\u{d}\n1..0\n::error::x\nBail out!");
        assert!(xml.len() < 200_000 && !xml.contains(|letter: char| letter.is_control() && letter != '\n'));
    }

    #[test]
    fn the_whole_has_no_attribute_that_the_schema_lacks() {
        let xml = document(&sample::hostile());
        let head = xml.split("<testsuites ").nth(1).unwrap().split('>').next().unwrap();
        let names: Vec<&str> = head.split(' ').filter_map(|word| word.split('=').next()).collect();
        assert_eq!(names, ["name", "tests", "failures", "errors", "time"]);
    }
}
