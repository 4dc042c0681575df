//! `--report FORMAT=FILE`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::place::Place;

#[test]
fn the_json_report_has_every_claim_on_every_runtime() {
    let place = Place::new();
    let told = place.told(&["run", "specs", "--runtime", "native,none", "--report", "json=out.json"], 1);
    let report: Value = serde_json::from_slice(&fs::read(place.path("out.json")).unwrap()).unwrap();
    let names: Vec<_> = report["columns"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["native", "none"]);
    assert_eq!(report["columns"][0]["counts"]["passed"], 4, "{told}");
    let claim = |sentence: &str| {
        let claims = report["claims"].as_array().unwrap();
        claims
            .iter()
            .find(|claim| claim["spec"]["claim"].as_str().unwrap().contains(sentence))
            .unwrap()
            .clone()
    };
    let first = claim("is the first");
    assert_eq!(first["spec"]["area"], "names");
    assert_eq!(first["spec"]["tags"], serde_json::json!(["smoke"]));
    assert_eq!(
        (&first["differs"], &first["on"]["native"]["outcome"]),
        (&Value::from(true), &Value::from("passed"))
    );
    assert_eq!(first["on"]["none"]["trouble"]["findings"][0]["expected"], "1");
    assert_eq!(first["on"]["native"]["observed"][0]["value"], 1);
    assert_eq!(claim("is only for")["on"].as_object().unwrap().len(), 1);
    assert!(claim("says ")["on"]["none"]["reason"].as_str().unwrap().starts_with("risk: "), "{report}");
}

#[test]
fn the_markdown_report_has_every_area_and_what_is_red() {
    let place = Place::new();
    place.told(&["run", "specs", "--runtime", "native,none", "--report", "markdown=out.md"], 1);
    let report = fs::read_to_string(place.path("out.md")).unwrap();
    assert!(report.starts_with("| area | native | none |\n| --- | --- | --- |\n| `"), "{report}");
    assert!(report.contains("\n| all | 4 ✓"), "{report}");
    let red = report.split("## Red").nth(1).unwrap();
    assert!(red.contains("is the first") && red.contains("| none ✗ |"), "{report}");
}

#[test]
fn several_reports_are_written_of_one_run_and_nothing_else_is_left() {
    let place = Place::new();
    fs::create_dir(place.path("out")).unwrap();
    fs::write(place.path("out/a.html"), "old").unwrap();
    fs::set_permissions(place.path("out/a.html"), fs::Permissions::from_mode(0o640)).unwrap();
    let reports = ["--report", "html=out/a.html", "--report", "json=out/b.json"];
    let told = place.told(&[&["run", "specs/names", "--runtime", "native"], &reports[..]].concat(), 0);
    assert!(
        told.contains("  passed       has its own host name\n"),
        "what is printed is what it is without reports: {told}"
    );
    let mut left: Vec<_> =
        fs::read_dir(place.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.html", "b.json"]);
    let file = fs::metadata(place.path("out/a.html")).unwrap();
    assert!(file.len() > 1000 && file.permissions().mode() & 0o777 == 0o640);
}

#[test]
fn a_report_that_is_lost_makes_no_green_run() {
    let place = Place::new();
    let output = place.airtight(&["run", "specs/names", "--runtime", "native", "--report", "json=/dev/full"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/full"), "{output:?}");
}

#[test]
fn what_can_be_known_before_is_told_before() {
    let place = Place::new();
    for (report, said) in [
        ("html", "expected FORMAT=FILE"),
        ("odd=out", "there is no format `odd`; there are html, json"),
        ("html=nowhere/out.html", "there is no folder nowhere"),
        ("html=specs", "specs is a folder"),
    ] {
        let output = place.airtight(&["run", "specs/names", "--report", report]);
        assert_eq!(output.status.code(), Some(2), "{report}");
        assert!(
            output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains(said),
            "{output:?}"
        );
    }
}

#[test]
fn a_page_holds_no_text_as_anything_but_text() {
    let place = Place::new();
    place.told(&["run", "specs", "--runtime", "native,none", "--report", "html=out.html"], 1);
    let page = String::from_utf8(fs::read(place.path("out.html")).unwrap()).unwrap();
    let small = page.to_lowercase();
    assert_eq!((small.matches("<script").count(), small.matches("</script").count()), (2, 2));
    assert_eq!((small.matches("<img").count(), small.matches("<!--").count()), (0, 0));
    let odd =
        |letter: &char| letter.is_control() && *letter != '\n' || ('\u{202a}'..='\u{202e}').contains(letter);
    assert_eq!(page.chars().find(odd), None);
    // Nothing of it is fetched from elsewhere.
    assert_eq!(["src=\"", "url(", "@import", "<link"].iter().find(|word| page.contains(**word)), None);
    assert!(small.contains("content-security-policy\" content=\"default-src 'none'; script-src 'sha256-"));
}
