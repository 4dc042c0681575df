//! `airtight diff`.

use serde_json::Value;

use super::place::Place;

#[test]
fn only_what_differs_is_shown_with_both_values() {
    let place = Place::new();
    let text = place.told(&["diff", "native", "none", "specs/names"], 1);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "specs/names/spec.yaml  The names of a sandbox", "{text}");
    assert_eq!(lines[1], "  is the first process of its own namespace");
    assert_eq!(lines[2], "    native  passed        inside pid 1");
    assert!(lines[3].starts_with("    none    failed        pid: expected 1, observed "), "{text}");
    assert_eq!(lines[5], "    native  passed        inside hostname box");
    assert!(!text.contains("same kernel"), "{text}");
    assert!(
        text.contains("native and none differ in 2 of 4 claims; 1 alike, 0 broken on both, 1 not compared; "),
        "{text}"
    );
    assert!(text.ends_with("     1 × not on none: its spec names other runtimes\n"), "{text}");
}

#[test]
fn what_does_not_differ_is_no_difference() {
    let place = Place::new();
    let text = place.told(&["diff", "native", "none", "specs/names", "--claim", "same kernel"], 0);
    assert!(text.starts_with("native and none differ in 0 of 1 claim; 1 alike, "), "{text}");
}

#[test]
fn nothing_compared_is_not_nothing_different() {
    let place = Place::new();
    place.told(&["diff", "native", "none", "specs/names", "--claim", "is only for"], 3);
    // What can be observed on neither.
    place.told(&["diff", "exit-0", "exit-1", "specs/names", "--claim", "same kernel"], 4);
}

#[test]
fn two_runtimes_are_named() {
    let place = Place::new();
    for (arguments, said) in [
        (["native", "native"], "a runtime does not differ from itself"),
        (["native", "nativ"], "unknown runtime `nativ`"),
    ] {
        let output = place.airtight(&["diff", arguments[0], arguments[1], "specs/names"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
}

#[test]
fn programs_get_one_object() {
    let place = Place::new();
    let text = place.told(&["diff", "native", "none", "specs/names", "--format", "json"], 1);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["runtimes"], serde_json::json!(["native", "none"]));
    let claims: Vec<_> =
        found["differing"].as_array().unwrap().iter().map(|one| one["spec"]["claim"].clone()).collect();
    assert_eq!(claims, ["is the first process of its own namespace", "has its own host name"]);
    let on = &found["differing"][1]["on"];
    assert_eq!(
        (&on[0]["outcome"], &on[0]["observed"][0]["value"]),
        (&Value::from("passed"), &Value::from("box"))
    );
    assert_eq!(
        (&on[1]["outcome"], &on[1]["trouble"]["findings"][0]["expected"]),
        (&Value::from("failed"), &Value::from("\"box\""))
    );
    assert_eq!((&found["alike"], &found["broken"]), (&Value::from(1), &Value::from(0)));
}
