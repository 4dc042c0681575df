//! What a run on several runtimes prints.

use super::place::Place;

#[test]
fn claims_are_rows_and_runtimes_are_columns() {
    let place = Place::new();
    let text = place.told(&["run", "specs/names", "--runtime", "native,unshare,none"], 1);
    let row = |sentence: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(sentence)).unwrap();
        line.trim_start()
            .strip_prefix(sentence)
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row("is the first process of its own namespace"), ["✓", "✗", "✗"], "{text}");
    assert_eq!(row("is on the same kernel as the host"), ["✓", "✓", "✓"]);
    assert_eq!(row("has its own host name"), ["✓", "-", "✗"]);
    assert_eq!(row("is only for the built-in runtime"), ["✓"]);
    let differing = text.find("2 of 4 claims differ ").unwrap();
    assert!(text.find("2 of 4 claims do not differ ").unwrap() > differing, "{text}");
    assert!(text.contains("failed: specs/names/spec.yaml · has its own host name · none\n"), "{text}");
    assert!(!text.contains('\x1b'), "colours, and no terminal: {text}");
}

#[test]
fn the_numbers_stand_for_each_runtime() {
    let place = Place::new();
    let text = place.told(&["run", "specs/names", "--runtime", "native", "--runtime", "none"], 1);
    let numbers = |runtime: &str| {
        let line = text.lines().find(|line| line.starts_with(runtime)).unwrap();
        line.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect::<Vec<usize>>()
    };
    assert_eq!(numbers("native "), [4, 0, 0, 0, 0, 0], "{text}");
    assert_eq!(numbers("none "), [1, 2, 0, 0, 0, 0], "{text}");
    assert!(text.contains("\n7 claims: 5 passed, 2 failed, 0 broken, 0 skipped, 0 not measured; "), "{text}");
}

#[test]
fn one_runtime_is_told_line_by_line() {
    let place = Place::new();
    let text = place.told(&["run", "specs/names", "--runtime", "native"], 0);
    assert!(text.contains("  passed       has its own host name\n") && !text.contains("✓"), "{text}");
    // Named twice it is still one.
    assert!(!place.told(&["run", "specs/names", "--runtime", "native,native"], 0).contains("✓"));
}

#[test]
fn all_is_what_is_usable_and_no_null() {
    let place = Place::new();
    let output = place.airtight(&["run", "specs/names", "--claim", "is the first", "--runtime", "all"]);
    let (text, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let numbered = |name: &str| {
        text.lines()
            .any(|line| line.split_whitespace().take(2).any(|word| word == name) && line.ends_with(" 0"))
    };
    let names = airtight::sandbox::names();
    // All but `none` and the one that is used: one runtime alone is told without a matrix.
    let alone = said.lines().filter(|line| line.starts_with("not usable here: ")).count() == names.len() - 2;
    for name in names {
        let unusable = said.contains(&format!("not usable here: {name}: "));
        let told = numbered(&name) || alone && name == "native" && text.contains("  passed ");
        assert!(
            if name == "none" { !told && !unusable } else { told != unusable },
            "{name}:\n{text}\n{said}"
        );
    }
    let named = place.told(&["run", "specs/names", "--claim", "is the first", "--runtime", "native,none"], 1);
    assert!(named.lines().any(|line| line.starts_with("none ")), "{named}");
}

#[test]
fn what_is_no_runtime_is_told() {
    let place = Place::new();
    let output = place.airtight(&["run", "specs/names", "--runtime", "native,nativ"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown runtime `nativ`"));
    // The command line does not widen what a spec restricts itself to.
    let none = place.airtight(&["run", "specs/names", "--claim", "is only for", "--runtime", "unshare,none"]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
}
