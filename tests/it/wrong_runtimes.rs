//! Files of runtimes that are wrong: each with exactly the errors that it must give, in `tests/wrong-runtimes/NAME.stderr`.
//!
//! `AIRTIGHT_BLESS=1 cargo test wrong_runtimes` writes what is given now; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use airtight::sandbox::{add_runtime, by_name};

#[test]
fn each_wrong_file_gives_its_errors() {
    let files = wrong_files();
    assert!(files.len() >= 40, "only {} wrong files", files.len());
    let bless = std::env::var_os("AIRTIGHT_BLESS").is_some();
    let differences: Vec<_> = files.iter().filter_map(|path| difference(path, bless)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert!(by_name("mine").is_none(), "a wrong file has made a runtime");
}

/// As many as there are; none is silently left out, and nothing is run.
#[test]
fn a_wrong_file_ends_the_command() {
    for path in wrong_files() {
        let output = Command::new(env!("CARGO_BIN_EXE_airtight"))
            .args(["runtime", "show", "mine", "--runtime-file"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}: {said}", path.display());
        assert_eq!(said.trim_end(), fs::read_to_string(path.with_extension("stderr")).unwrap().trim_end());
        assert!(output.stdout.is_empty(), "{}", path.display());
    }
}

/// A file that is cut, or in which a character is another, is wrong or right, but never a panic.
#[test]
fn damaged_files_do_not_panic() {
    let others = ["", "\"", "[", "{", "}", ":", "\n", "~", "0"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.yaml");
    for name in ["docker", "runc", "bwrap"] {
        let text = fs::read_to_string(format!("src/sandbox/command/catalogue/{name}.yaml")).unwrap();
        let text = text.replacen(&format!("runtime: {name}"), "runtime: damaged", 1);
        for (index, character) in text.char_indices().filter(|(index, _)| index % 7 == 0) {
            let mut damaged = text.clone();
            damaged.replace_range(index..index + character.len_utf8(), others[index % others.len()]);
            for text in [damaged.as_str(), &text[..index]] {
                fs::write(&path, text).unwrap();
                drop(add_runtime(&path).map_err(|problems| problems.render(false)));
            }
        }
    }
}

fn difference(path: &Path, bless: bool) -> Option<String> {
    let actual = match add_runtime(path) {
        Ok(name) => return Some(format!("{} is accepted, as {name}", path.display())),
        Err(problems) => problems.render(false) + "\n",
    };
    let beside = path.with_extension("stderr");
    if bless {
        fs::write(&beside, &actual).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    (expected != actual).then(|| format!("{} gives\n{actual}instead of\n{expected}", path.display()))
}

fn wrong_files() -> Vec<PathBuf> {
    let files = fs::read_dir("tests/wrong-runtimes").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}
