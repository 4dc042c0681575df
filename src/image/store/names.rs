//! The names of images: which words may be one, and those that were given by hand.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cache::Store;
use crate::image::ImageError;
use crate::image::error::{Result, io};

/// What `names/NAME.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Imported {
    /// The image.
    pub(super) digest: String,
    /// The archive that it was made of.
    pub(super) from: PathBuf,
}

impl Store {
    /// The names that were given by hand, sorted.
    pub(super) fn imported_names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.root.join("names")).into_iter().flatten().flatten();
        let names =
            files.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// What the name stands for.
    pub(super) fn imported(&self, name: &str) -> Result<Imported> {
        let path = self.root.join("names").join(format!("{name}.json"));
        let text = std::fs::read(&path).map_err(io("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| io("read", &path)(error.into()))
    }
}

/// The longest name: it becomes a file's name.
const LONGEST: usize = 100;

/// Refuses a name that would not be a plain file name, or would be taken for a path.
pub(in super::super) fn check_name(name: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let why = if name.is_empty() || name.len() > LONGEST {
        format!("a name has 1 to {LONGEST} characters")
    } else if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        "a name starts with a letter or a digit".to_owned()
    } else if let Some(odd) = name.chars().find(|letter| !plain(*letter)) {
        format!("{odd:?} is not a letter, a digit, `-`, `_` or `.`")
    } else {
        return Ok(());
    };
    Err(ImageError::Name { name: name.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["base", "debian-12", "a.b_c", "7"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".x", "a/b", "a b", "-x", "a\0", "é", &"x".repeat(101)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
