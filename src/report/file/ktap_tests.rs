//! The form is read by a strict reader of ktap.rst, and by the kernel's own, where it is at hand.

use std::process::{Command, Stdio};

use super::*;
use crate::report::file::sample;

/// How many claims were good, bad and skipped, of a text that keeps to ktap.rst in every line.
fn read(text: &str) -> [usize; 3] {
    let mut lines = text.lines().peekable();
    let mut counts = [0; 3];
    assert_eq!(lines.next(), Some("KTAP version 1"));
    tests(&mut lines, "", &mut counts);
    assert_eq!(lines.next(), None);
    counts
}

type Lines<'a> = std::iter::Peekable<std::str::Lines<'a>>;

/// The plan and its tests; their statuses.
fn tests(lines: &mut Lines<'_>, indent: &str, counts: &mut [usize; 3]) -> Vec<Status> {
    let plan = lines.next().and_then(|line| line.strip_prefix(indent)?.strip_prefix("1..")).unwrap();
    (1..=plan.parse().unwrap()).map(|number| test(lines, indent, number, counts)).collect()
}

fn test(lines: &mut Lines<'_>, indent: &str, number: usize, counts: &mut [usize; 3]) -> Status {
    let inner = format!("{indent}  ");
    let version = format!("{inner}KTAP version 1");
    let sub = lines.next_if(|line| **line == *version).map(|_| {
        let name = lines.next().and_then(|line| line.strip_prefix(&inner)?.strip_prefix("# Subtest: "));
        (name.unwrap().to_owned(), tests(lines, &inner, counts))
    });
    let diagnostic = format!("{indent}#");
    while lines.next_if(|line| line.starts_with(&diagnostic)).is_some() {}
    let line = lines.next().and_then(|line| line.strip_prefix(indent)).unwrap();
    let (good, rest) = line
        .strip_prefix("not ok ")
        .map(|rest| (false, rest))
        .or_else(|| line.strip_prefix("ok ").map(|rest| (true, rest)))
        .unwrap_or_else(|| panic!("no result: {line:?}"));
    let rest =
        rest.strip_prefix(&format!("{number} ")).unwrap_or_else(|| panic!("not number {number}: {line:?}"));
    let (name, note) = rest.split_once(" # ").unwrap_or((rest, ""));
    assert!(!note.contains('#'), "{line:?}");
    assert!(!name.is_empty() && !name.contains('#') && !name.chars().any(char::is_control), "{line:?}");
    let status = if note.starts_with("SKIP") {
        Status::Skipped
    } else if good {
        Status::Good
    } else {
        Status::Bad
    };
    let Some((header, children)) = sub else {
        counts[status as usize] += 1;
        return status;
    };
    assert_eq!(name, header);
    assert_eq!(status == Status::Bad, children.contains(&Status::Bad), "{line}");
    status
}

#[test]
fn hostile_names_change_nothing_of_the_form() {
    let matrix = sample::hostile();
    let text = document(&matrix);
    assert_eq!(read(&text), [2, 4, 5]);
    assert!(
        text.contains("not ok 2 native on 6.1.0-56\n") && text.contains("# Subtest: native on 6.1.0-55\n")
    );
    assert!(text.contains("# ERROR the kernel crashed: pid: expected 1"));
    assert!(text.contains(" # SKIP known issue: "));
}

#[test]
fn a_run_of_nothing_is_still_a_document() {
    assert_eq!(document(&Matrix::default()), "KTAP version 1\n1..0\n");
}

/// `AIRTIGHT_KUNIT` is the kernel's tools/testing/kunit/kunit.py.
#[test]
fn the_kernels_own_reader_agrees() {
    let Some(program) = std::env::var_os("AIRTIGHT_KUNIT") else {
        eprintln!("NOT TRIED: AIRTIGHT_KUNIT does not name the kernel's tools/testing/kunit/kunit.py");
        return;
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document(&sample::hostile())).unwrap();
    let run = Command::new("python3")
        .arg(program)
        .arg("parse")
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(
        told.contains("passed: 2, failed: 4, skipped: 5")
            || told.contains("Passed: 2, Failed: 4, Skipped: 5"),
        "{told}"
    );
    assert!(!told.contains("[ERROR]") && !told.contains("errors: "), "{told}");
}
