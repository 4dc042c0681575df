//! A report is read again as it was, and nothing else is taken for one.

use std::path::Path;

use super::parse;
use crate::report::file::json::document;
use crate::report::file::sample;

#[test]
fn a_report_is_read_as_it_was_written() {
    let matrix = sample::hostile();
    let again = parse(Path::new("x.json"), document(&matrix).as_bytes()).unwrap();
    assert_eq!(again.rows, matrix.rows);
    assert_eq!((again.columns, again.machines, again.parts), (matrix.columns, matrix.machines, matrix.parts));
    assert_eq!((again.summary, again.took), (matrix.summary, matrix.took));
}

#[test]
fn what_is_no_report_is_told() {
    let whole = document(&sample::hostile());
    let check = |text: &str, expected: &str| {
        let error = parse(Path::new("x.json"), text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("x.json: ") && error.contains(expected), "{error}");
    };
    check("", "no report");
    check("hello", "no report");
    check("[]", "no report");
    check("{}", "missing field `version`");
    check(r#"{"version": 2, "airtight": "0.1.0"}"#, "missing field `written`");
    check(r#"{"version": 1, "airtight": "0.0.9", "runtimes": []}"#, "version 1 (airtight 0.0.9)");
    check(&whole.replacen("\"version\": 2", "\"version\": 3", 1), "reads version 2");
    check(&whole[..whole.len() / 2], "it ends in the middle");
    check(&whole.replacen("\"milliseconds\"", "\"hours\"", 1), "no report");
    check(
        &whole.replacen("\"passed\": 2", "\"passed\": 3", 9),
        "it says that 3 claims are passed, and 2 are",
    );
    check(&format!("{whole}{whole}"), "trailing characters");
}

#[test]
fn any_prefix_of_a_report_is_refused() {
    let whole = document(&sample::hostile());
    let step = whole.len() / 200 + 1;
    for end in (0..whole.len() - 2).step_by(step).filter(|end| whole.is_char_boundary(*end)) {
        assert!(parse(Path::new("x.json"), &whole.as_bytes()[..end]).is_err(), "{end}");
    }
}
