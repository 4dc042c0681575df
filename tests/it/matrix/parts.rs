//! `--partition`, and `airtight merge` of what comes of it.

use std::fs;

use serde_json::Value;

use super::place::Place;

/// Runs each of so many parts on a runtime that differs; their files.
fn parts(place: &Place, of: usize, how: &str) -> Vec<String> {
    let run = |number: usize| {
        let (part, file) = (format!("{how}{number}/{of}"), format!("part-{number}.json"));
        let report = format!("json={file}");
        let arguments =
            ["run", "specs", "--runtime", "native,none", "--partition", &part, "--report", &report];
        let output = place.airtight(&arguments);
        let code = output.status.code().unwrap();
        assert!([0, 1, 3].contains(&code), "{part}: {}", String::from_utf8_lossy(&output.stderr));
        file
    };
    (1..=of).map(run).collect()
}

/// A report without what differs from run to run.
fn told(path: &std::path::Path) -> Value {
    let mut report: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for claim in report["claims"].as_array_mut().unwrap() {
        for cell in claim["on"].as_object_mut().unwrap().values_mut() {
            let cell = cell.as_object_mut().unwrap();
            cell.retain(|name, _| name == "outcome" || name == "reason");
        }
    }
    serde_json::json!({ "claims": report["claims"], "columns": report["columns"], "counts": report["summary"]["counts"], "reasons": report["summary"]["reasons"] })
}

#[test]
fn parts_put_together_are_the_run() {
    let place = Place::new();
    let whole = place.told(&["run", "specs", "--runtime", "native,none", "--report", "json=whole.json"], 1);
    for (of, how) in [(1, ""), (3, "count:"), (4, "hash:"), (9, "")] {
        let files = parts(&place, of, how);
        let mut arguments = vec!["merge", "--report", "json=merged.json"];
        arguments.extend(files.iter().rev().map(String::as_str));
        let merged = place.told(&arguments, 1);
        assert_eq!(told(&place.path("merged.json")), told(&place.path("whole.json")), "{of} {how}");
        let table = |text: &str| text.split(" claims: ").next().unwrap().to_owned();
        assert_eq!(table(&merged), table(&whole), "the same is printed");
    }
}

#[test]
fn a_missing_part_is_not_green() {
    let place = Place::new();
    let run = |number: usize| {
        let (part, report) = (format!("{number}/2"), format!("json=part-{number}.json"));
        let arguments =
            ["run", "specs/names", "--runtime", "native,none", "--claim", "is on the same kernel"];
        place.told(&[&arguments[..], &["--partition", &part, "--report", &report]].concat(), 0);
    };
    (1..=2).for_each(run);
    place.told(&["merge", "part-1.json", "part-2.json"], 0);
    let output = place.airtight(&["merge", "part-1.json", "--report", "junit=out.xml"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: part 2 of 2 is missing"), "{output:?}");
    assert!(place.path("out.xml").exists(), "what is there is told all the same");
}

#[test]
fn a_part_without_claims_says_so_and_is_green() {
    let place = Place::new();
    let arguments =
        ["run", "specs/names", "--runtime", "native", "--partition", "7/7", "--report", "json=out.json"];
    let output = place.airtight(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("note: part 7 of 7 has no claim"), "{output:?}");
    // Alone it is nothing that was measured.
    assert_eq!(place.airtight(&["merge", "out.json"]).status.code(), Some(3));
}

#[test]
fn what_is_no_part_is_told_before_anything_is_run() {
    let place = Place::new();
    for (part, said) in [
        ("0/3", "there is no part 0 of 3"),
        ("4/3", "there is no part 4 of 3"),
        ("1/0", "there cannot be 0 parts"),
        ("third", "write N/M, as 1/3"),
    ] {
        let output = place.airtight(&["run", "specs/names", "--partition", part]);
        assert_eq!(output.status.code(), Some(2), "{part}");
        assert!(
            output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains(said),
            "{output:?}"
        );
    }
}

#[test]
fn what_is_no_report_is_told() {
    let place = Place::new();
    fs::write(place.path("cut.json"), r#"{"version": 2, "airtight": "#).unwrap();
    fs::write(place.path("other.json"), "{}").unwrap();
    let output = place.airtight(&["merge", "cut.json", "other.json", "nowhere.json", "/dev/null"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for expected in [
        "cut.json: it ends in the middle",
        "other.json: it is no report",
        "nowhere.json: No such",
        "/dev/null: it is no",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn every_form_is_written_at_once_and_the_lines_are_those_of_the_format() {
    let place = Place::new();
    let forms: Vec<String> =
        airtight::report::file::FORMS.iter().map(|form| format!("{0}=out.{0}", form.name)).collect();
    let mut arguments = vec!["run", "specs", "--runtime", "native,none", "--format", "json"];
    arguments.extend(forms.iter().flat_map(|form| ["--report", form]));
    let lines = place.told(&arguments, 1);
    let told = |text: &str| {
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| line["name"].to_string());
        lines
    };
    assert_eq!(told(&lines), told(&fs::read_to_string(place.path("out.jsonl")).unwrap()));
    for form in airtight::report::file::FORMS {
        assert!(fs::metadata(place.path(&format!("out.{}", form.name))).unwrap().len() > 20, "{}", form.name);
    }
    let ktap = fs::read_to_string(place.path("out.ktap")).unwrap();
    assert!(ktap.starts_with("KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: native\n"), "{ktap}");
}
