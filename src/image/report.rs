//! What an image lacks of what its source holds.

use serde::{Deserialize, Serialize};

/// What could not be made, in the order in which it was met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The things that are missing from the image, or are not there as the source has them.
    pub missing: Vec<Missing>,
}

/// One thing that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Its path in the image; for a program, its name.
    pub path: String,
    /// What it is: `character device 1:3`, `optional program`, `owner 0:42`.
    pub what: String,
    /// Why it is not there: a failed call, or a sentence.
    pub why: String,
}

impl Report {
    /// Notes one more missing thing.
    pub fn note(&mut self, path: impl Into<String>, what: impl Into<String>, why: impl Into<String>) {
        self.missing.push(Missing { path: path.into(), what: what.into(), why: why.into() });
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}: {}", self.path, self.what, self.why)
    }
}
