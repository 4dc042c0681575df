//! Lists of kernels: what they say, and those that are wrong, each with exactly the errors that it must give, in
//! `tests/wrong-kernels/NAME.stderr`.
//!
//! `AIRTIGHT_BLESS=1 cargo test --test it kernels::lists` writes what is given now; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use airtight::vm::kernel::{Choice, find};

use super::kernels;
use super::make::{Packing, RELEASE, bzimage, vmlinux};

#[test]
fn each_wrong_list_gives_its_errors() {
    let lists = wrong_lists();
    assert!(lists.len() >= 20, "only {} wrong lists", lists.len());
    let bless = std::env::var_os("AIRTIGHT_BLESS").is_some();
    let differences: Vec<_> = lists.iter().filter_map(|path| difference(path, bless)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn a_list_says_what_its_kernels_are() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join("built")).unwrap();
    fs::write(folder.path().join("built/one"), bzimage(&vmlinux(true), Packing::Gzip)).unwrap();
    fs::write(folder.path().join("two"), bzimage(&vmlinux(true), Packing::Zstd)).unwrap();
    let list = folder.path().join("kernels.yaml");
    let text = "kernels:
  - name: first
    path: built/*
    append: [quiet, lsm=landlock]
    known_issues: [{ because: it is so, link: 'https://x', claims: ['A box::*'] }]
    allowed_messages: [{ match: 'WARNING: .*dev', because: it is told, link: 'https://y', until: '2027-01-31' }]
  - path: two
  - path: host
";
    fs::write(&list, text).unwrap();
    let names = |words: &[&str]| -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let choices = find(&words, Some(&list), cache.path()).unwrap();
        choices.iter().map(|choice| choice.name().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["first", RELEASE, "host"]);
    assert_eq!(names(&["first"]), ["first"]);
    assert_eq!(names(&["host", "first"]), ["host", "first"]);
    let two = folder.path().join("two");
    assert_eq!(names(&[two.to_str().unwrap(), "first"]), [RELEASE, "first"]);
    let kernel = kernels(&["first"], Some(&list), cache.path()).unwrap().remove(0);
    assert_eq!(kernel.append, ["quiet", "lsm=landlock"]);
    let issue = kernel.known_issues[0].reason("A box::is closed");
    assert_eq!(issue.as_deref(), Some("it is so (https://x)"));
    let allowed = kernel.allowed_messages[0].reason("WARNING: at net/core/dev.c", "2027-01-31");
    assert_eq!(allowed.as_deref(), Some("it is told (https://y)"));
    let error = kernels(&["fist"], Some(&list), cache.path()).unwrap_err().to_string();
    assert_eq!(error, "no kernel is called `fist`, and there is no such file: did you mean `first`?");
}

/// A list that is cut, or in which a character is another, is wrong or right, but never a panic.
#[test]
fn damaged_lists_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernels.yaml");
    let others = ["", "\"", "[", "{", "}", ":", "\n", "~", "0"];
    let text = "kernels:\n  - { name: a, path: host }\n  - path: x*\n    append: [a=b]\n    allowed_messages: [{ match: 'a', because: b, until: '2027-01-31' }]\n";
    for index in 0..text.len() {
        let mut damaged = text.to_owned();
        damaged.replace_range(index..=index, others[index % others.len()]);
        for text in [damaged.as_str(), &text[..index]] {
            fs::write(&path, text).unwrap();
            drop(find(&[], Some(&path), folder.path()).map_err(|error| error.to_string()));
        }
    }
}

fn difference(path: &Path, bless: bool) -> Option<String> {
    let cache = tempfile::tempdir().unwrap();
    let actual = match find(&[], Some(path), cache.path()) {
        Ok(choices) => {
            let names: Vec<&str> = choices.iter().map(Choice::name).collect();
            return Some(format!("{} is accepted: {names:?}", path.display()));
        }
        Err(error) => error.to_string() + "\n",
    };
    let beside = path.with_extension("stderr");
    if bless {
        fs::write(&beside, &actual).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    (expected != actual).then(|| format!("{} gives\n{actual}instead of\n{expected}", path.display()))
}

fn wrong_lists() -> Vec<PathBuf> {
    let files = fs::read_dir("tests/wrong-kernels").unwrap().map(|entry| entry.unwrap().path());
    let mut lists: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    lists.sort();
    lists
}
