//! Specs that are wrong: each with exactly the errors that it must give, in `tests/wrong/NAME.stderr`.
//!
//! `AIRTIGHT_BLESS=1 cargo test wrong_specs` writes what is given now; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use airtight::spec::{load, parse};

#[test]
fn each_wrong_spec_gives_its_errors() {
    let specs = wrong_specs();
    assert!(specs.len() >= 60, "only {} wrong specs", specs.len());
    let bless = std::env::var_os("AIRTIGHT_BLESS").is_some();
    let differences: Vec<_> = specs.iter().filter_map(|path| difference(path, bless)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// What a hostile spec costs must not depend on what it says: each of these took a YAML parser seconds or gigabytes.
#[test]
fn hostile_specs_are_refused() {
    let laughs = (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")));
    let laughs = format!("a0: &a0 [lol]\n{}", laughs.collect::<String>());
    let aliases = format!("a: &a x\nb: [{}]\n", "*a, ".repeat(65_000));
    check("[".repeat(200_000), "nested deeper than 64");
    check("{a: ".repeat(50_000), "nested deeper than 64");
    check("- ".repeat(100_000), "nested deeper than 64");
    check(laughs, "no place for an alias");
    check(aliases, "no place for an alias");
    check("a".repeat((1 << 20) + 1), "larger than 1 MiB");
    check(format!("scenario: {}\n", "x, ".repeat(300_000)), "");
    check(format!("scenario: [{}]\n", "~, ".repeat(300_000)), "nothing stands here");
    check("scenario: a\nclaims: {".to_owned() + &"a: ".repeat(60_000), "");
    check("'".repeat(500_000), "");
    check("? ".repeat(100_000), "");
    check("&a ".repeat(100_000), "");
    check("%".repeat(100_000), "");
    check("\n".repeat(1 << 20), "empty");
    check("\"\\".repeat(200_000), "");
}

/// Rows multiply: each of the scenario's with each of the claim's.
#[test]
fn rows_without_end_are_refused() {
    let column = |name: &str| {
        let values: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
        format!("for_each: {{ {name}: [{}] }}", values.join(", "))
    };
    let claim = format!("{}\n    inside: {{ pid: \"${{a}}\", ppid: \"${{b}}\" }}", column("b"));
    check(
        format!("scenario: a\n{}\nclaims:\n  holds:\n    {claim}\n", column("a")),
        "more than 1000000 values",
    );
    let grid = "a: [1, 2, 3, 4, 5, 6, 7, 8], b: [1, 2, 3, 4, 5, 6, 7, 8], c: [1, 2, 3, 4, 5, 6, 7, 8], d: [1, 2, 3, 4, 5]";
    check(format!("scenario: a\nfor_each: {{ {grid} }}\n"), "more than 1000 rows");
}

/// A file that is cut, or in which a character is another, is wrong or right, but never a panic.
#[test]
fn damaged_specs_do_not_panic() {
    let others = ["", "\"", "[", "{", ":", "\n", "$", "\u{20ac}", "- ", "~", "0"];
    for path in ["tests/specs/first-process.yaml", "tests/specs/everything.yaml"] {
        let text = fs::read_to_string(path).unwrap();
        for (index, character) in text.char_indices().filter(|(index, _)| index % 2 == 0 || index % 5 == 0) {
            let mut damaged = text.clone();
            damaged.replace_range(index..index + character.len_utf8(), others[index % others.len()]);
            drop(rendered(Path::new(path), damaged));
            if index % 5 == 0 {
                drop(rendered(Path::new(path), text[..index].to_owned()));
            }
        }
    }
}

fn check(text: String, message: &str) {
    let start: String = text.chars().take(20).collect();
    let rendered =
        rendered(Path::new("hostile.yaml"), text).unwrap_or_else(|| panic!("`{start}…` is refused"));
    assert!(rendered.contains(message), "`{start}…` gives {rendered}");
    assert!(rendered.len() < 200_000, "the error is {} bytes long", rendered.len());
}

fn rendered(path: &Path, text: String) -> Option<String> {
    parse(path, text).err().map(|problems| problems.render(false))
}

fn difference(path: &Path, bless: bool) -> Option<String> {
    let actual = match load(path) {
        Ok(_) => return Some(format!("{} is accepted", path.display())),
        Err(problems) => problems.render(false) + "\n",
    };
    let beside = path.with_extension("stderr");
    if bless {
        fs::write(&beside, &actual).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    (expected != actual).then(|| format!("{} gives\n{actual}instead of\n{expected}", path.display()))
}

fn wrong_specs() -> Vec<PathBuf> {
    let files = fs::read_dir("tests/wrong").unwrap().map(|entry| entry.unwrap().path());
    let mut specs: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    specs.sort();
    specs
}
