//! Parts together are the whole, and what does not fit is told.

use super::*;
use crate::plan::How;
use crate::report::matrix::{About, Machine};
use Mark::{Broken, Failed, Passed, Skipped};

/// A report with claims at these places.
fn report(
    columns: &[&str],
    rows: &[(usize, &str, &[Option<Mark>])],
    parts: Option<(usize, usize)>,
) -> Matrix {
    let row = |(place, name, marks): &(usize, &str, &[Option<Mark>])| Row {
        name: (*name).to_owned(),
        place: *place,
        about: Some(About { file: format!("specs/{name}/x.yaml"), ..About::default() }),
        cells: marks.iter().map(|mark| mark.map(Cell::of)).collect(),
    };
    let parts =
        parts.map(|(number, of)| Parts { how: How::Count, of, numbers: vec![number], plan: "p".to_owned() });
    Matrix {
        columns: columns.iter().map(|name| Column::new(name, None)).collect(),
        rows: rows.iter().map(row).collect(),
        machines: vec![Machine { kernel: "6.1".to_owned(), user: "root".to_owned() }],
        parts: parts.into_iter().collect(),
        ..Matrix::default()
    }
}

fn merged(reports: Vec<Matrix>) -> Merged {
    let named =
        reports.into_iter().enumerate().map(|(number, matrix)| (PathBuf::from(number.to_string()), matrix));
    merge(named.collect()).unwrap()
}

fn notes(merged: &Merged) -> Vec<String> {
    merged.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn parts_together_are_the_whole() {
    let parts = vec![
        report(&["native", "none"], &[(1, "b", &[Some(Passed), Some(Failed)])], Some((2, 3))),
        report(
            &["native", "none"],
            &[(0, "a", &[Some(Passed), None]), (4, "c", &[Some(Broken), None])],
            Some((1, 3)),
        ),
        report(&["native", "none"], &[], Some((3, 3))),
    ];
    let Merged { matrix, notes } = merged(parts);
    assert_eq!(notes, []);
    let names: Vec<&str> = matrix.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let areas: Vec<&str> = matrix.rows.iter().map(|row| row.about.as_ref().unwrap().area.as_str()).collect();
    assert_eq!(areas, ["a", "b", "c"], "areas are those of the whole");
    assert_eq!(matrix.summary.counts.values().sum::<usize>(), 4);
    assert_eq!(matrix.parts[0].numbers, [1, 2, 3]);
    assert_eq!(matrix.machines.len(), 1);
}

#[test]
fn other_kernels_are_other_columns() {
    let Merged { matrix, notes } = merged(vec![
        report(&["one"], &[(0, "a", &[Some(Passed)]), (1, "b", &[Some(Passed)])], None),
        report(&["other"], &[(0, "a", &[Some(Failed)])], None),
    ]);
    assert_eq!(notes, []);
    assert_eq!((matrix.rows[0].mark(0), matrix.rows[0].mark(1)), (Some(Passed), Some(Failed)));
    assert_eq!((matrix.rows[1].mark(1), matrix.rows[1].cells.len()), (None, 2));
}

#[test]
fn a_missing_part_is_missed() {
    let part = |number, of| {
        report(&["native"], &[(number, &format!("claim {number}"), &[Some(Passed)])], Some((number, of)))
    };
    let check = |reports, expected: &[&str]| assert_eq!(notes(&merged(reports)), expected);
    check(vec![part(1, 3), part(3, 3)], &["part 2 of 3 is missing, of the run that 0 is a part of"]);
    check(vec![part(1, 1)], &[]);
    let first = merged(vec![part(1, 3), part(3, 3)]).matrix;
    check(vec![first, part(2, 3)], &[]);
    let many = notes(&merged(vec![part(7, 1_000_000_000)]));
    assert!(many[0].starts_with("part 1, 2, 3, 4, 5, 6, 8, ") && many[0].len() < 200, "{many:?}");
}

#[test]
fn parts_of_other_runs_do_not_fill_the_gap() {
    let mut other = report(&["native"], &[(2, "b", &[Some(Passed)])], Some((2, 2)));
    other.parts[0].plan = "q".to_owned();
    let one = report(&["native"], &[(1, "a", &[Some(Passed)])], Some((1, 2)));
    let told = notes(&merged(vec![one, other]));
    assert_eq!(
        told,
        [
            "part 2 of 2 is missing, of the run that 0 is a part of",
            "part 1 of 2 is missing, of the run that 1 is a part of",
        ]
    );
}

#[test]
fn parts_that_are_split_otherwise_do_not_fit() {
    let part = |number, of| report(&["native"], &[(number, "a", &[Some(Passed)])], Some((number, of)));
    let reports = vec![(PathBuf::from("a"), part(1, 2)), (PathBuf::from("b"), part(2, 3))];
    let error = merge(reports).unwrap_err().to_string();
    assert!(
        error.starts_with("a and b are parts of the same claims, but split in different ways"),
        "{error}"
    );
}

#[test]
fn what_is_there_twice_is_counted_once_and_what_conflicts_is_told() {
    let one = |mark| report(&["native"], &[(0, "a", &[Some(mark)]), (1, "b", &[Some(Passed)])], None);
    let check = |first, second, expected: &[&str], kept| {
        let merged = merged(vec![one(first), one(second)]);
        assert_eq!(notes(&merged), expected);
        assert_eq!(merged.matrix.rows[0].mark(0), Some(kept));
        assert_eq!(merged.matrix.summary.counts.values().sum::<usize>(), 2);
    };
    let twice = "2 outcomes are in both 0 and 1, and are the same there; they are counted once";
    check(Failed, Failed, &[twice], Failed);
    let rest = "1 outcomes are in both 0 and 1, and are the same there; they are counted once";
    let conflict = "a [native] is passed in 0, and failed in 1: the worse of them is taken";
    check(Passed, Failed, &[conflict, rest], Failed);
    let conflict = "a [native] is broken in 0, and skipped in 1: the worse of them is taken";
    check(Broken, Skipped, &[conflict, rest], Broken);
}

#[test]
fn reports_of_other_specs_keep_their_order() {
    let Merged { matrix, .. } = merged(vec![
        report(&["native"], &[(0, "x", &[Some(Passed)]), (1, "y", &[Some(Passed)])], None),
        report(&["native"], &[(0, "a", &[Some(Passed)])], None),
    ]);
    let names: Vec<&str> = matrix.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["x", "y", "a"]);
}
