//! What a matrix looks like on a terminal.

use unicode_width::UnicodeWidthStr;

use super::super::Column;
use super::super::table::{About, Cell, Mark, Matrix, Row};
use super::{layout, wrap};
use Mark::{Broken, Crashed, Failed, KnownIssue, NotMeasured, Passed, Skipped};

fn row(scenario: &str, claim: &str, marks: &[Option<Mark>]) -> Row {
    let about = About {
        file: "specs/a.yaml".to_owned(),
        scenario: scenario.to_owned(),
        claim: claim.to_owned(),
        ..About::default()
    };
    let cells = marks.iter().map(|mark| mark.map(Cell::of)).collect();
    Row { name: format!("{scenario}::{claim}"), about: Some(about), cells, ..Row::default() }
}

fn matrix(runtimes: &[&str], rows: Vec<Row>) -> Matrix {
    let columns = runtimes.iter().map(|name| Column::new(name, None)).collect();
    Matrix { columns, rows, ..Matrix::default() }
}

fn plain(matrix: &Matrix, width: usize) -> String {
    anstream::adapter::strip_str(&layout(matrix, width)).to_string()
}

#[test]
fn what_differs_comes_first() {
    let rows = vec![
        row("One", "is alike", &[Some(Passed), Some(Passed)]),
        row("One", "differs", &[Some(Passed), Some(Failed)]),
        row("Two", "is not for all", &[Some(Skipped), None]),
    ];
    let expected = "\
1 of 3 claims differs                    native none
specs/a.yaml  One
  differs                                  ✓     ✗

2 of 3 claims do not differ              native none
specs/a.yaml  One
  is alike                                 ✓     ✓
specs/a.yaml  Two
  is not for all                           -

✓ passed   ✗ failed   - skipped   (blank) its spec names other runtimes

        passed  failed  broken  known issue  skipped  not measured
native       2       0       0            0        1             0
none         1       1       0            0        0             0
";
    assert_eq!(plain(&matrix(&["native", "none"], rows), 80), expected);
}

#[test]
fn every_line_fits() {
    let long = "is a sentence with as many words as somebody may find it good to write in a claim, and then some more of them";
    let word = "x".repeat(200);
    let all = ["native", "unshare", "bubblewrap", "runc", "crun", "youki", "docker", "containerd", "podman"];
    let more = ["systemd-nspawn", "lxc", "firejail", "hakoniwa", "none"];
    let runtimes: Vec<&str> = all.into_iter().chain(more).collect();
    for count in [1, 2, 3, 5, 14] {
        let marks = [Passed, Failed, Broken, KnownIssue, Skipped, NotMeasured].map(Some);
        let marks: Vec<_> = marks.into_iter().cycle().take(count).collect();
        let rows = vec![row("S", long, &marks), row("S", &word, &marks), row("S", "名前 is wide", &marks)];
        let matrix = matrix(&runtimes[..count], rows);
        for width in [80, 100, 120] {
            let text = plain(&matrix, width);
            let longest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(longest <= width, "{count} runtimes take {longest} of {width} columns:\n{text}");
            let told: String = text.split_whitespace().filter(|word| word.starts_with("xx")).collect();
            assert_eq!(told, word, "a long word is cut, and nothing of it lost");
        }
    }
}

#[test]
fn letters_stand_for_names_that_have_no_room() {
    let runtimes = ["systemd-nspawn", "containerd", "bubblewrap", "hakoniwa"];
    let rows = vec![row("S", "holds", &[Some(Passed), Some(Failed), None, Some(Broken)])];
    let text = plain(&matrix(&runtimes, rows), 80);
    let head = "\
a systemd-nspawn   b containerd   c bubblewrap   d hakoniwa

1 of 1 claims differs                    a b c d
";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("\n  holds                                  ✓ ✗   !\n"), "{text}");
    for name in ["\na systemd-nspawn ", "\nb containerd ", "\nc bubblewrap ", "\nd hakoniwa "] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn sentences_are_wrapped_at_words() {
    let check = |sentence: &str, width: usize, expected: &[&str]| assert_eq!(wrap(sentence, width), expected);
    check("a b", 10, &["  a b"]);
    check("one two three", 10, &["  one two", "    three"]);
    check("abcdefghij", 10, &["  abcdef", "    ghij"]);
    check("", 10, &["  "]);
}

#[test]
fn a_crash_is_counted_only_where_there_is_one() {
    let told = |mark| plain(&matrix(&["native"], vec![row("S", "holds", &[Some(mark)])]), 80);
    assert!(!told(Broken).contains("crashed"));
    let crashed = told(Crashed);
    assert!(crashed.contains("†") && crashed.contains("passed  failed  crashed  broken  "), "{crashed}");
}

#[test]
fn where_kernels_differ_stands_in_words() {
    let rows = vec![
        row("One", "differs", &[Some(Skipped), Some(Passed), Some(Failed)]),
        row("One", "is alike", &[Some(Skipped), Some(Passed), Some(Passed)]),
    ];
    let kernels = ["5.10", "6.1.0-55", "6.1.0-56"].map(|kernel| Column::new("native", Some(kernel)));
    let text = plain(&Matrix { columns: kernels.into(), rows, ..Matrix::default() }, 90);
    let expected = "
Where kernels differ:
  differs
    held on 6.1.0-55, fails on 6.1.0-56
    not measured on 5.10: skipped

Not measured on some kernels:
     2 × 5.10: skipped

1 of 2 claims does not differ ";
    assert!(text.contains(expected), "{text}");
    assert!(
        text.contains(" native on 5.10 native on 6.1.0-55 native on 6.1.0-56")
            || text.contains("a native on 5.10")
    );
}
