//! What is asked, and what was observed. These types cross the agent's streams as JSON.

use serde::{Deserialize, Serialize};

/// An observed value: JSON, whose shape the fact's [`super::Kind`] says. `Limit` is a number or the text `unlimited`;
/// bytes that are not UTF-8 stand as `\xff`.
pub type Value = serde_json::Value;

/// A fact of the table with its argument, or an attempt (`attempts.VERB`) with its object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Query {
    /// The fact's name: `files`; for an attempt `attempts.mount`.
    pub fact: String,
    /// The argument: `/etc/os-release`; empty where the fact takes none.
    pub argument: String,
}

/// A value with the evidence for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The parsed value.
    pub value: Value,
    /// The text it was parsed from, as evidence: lossy where it is not UTF-8, cut at 64 KiB.
    pub raw: String,
}

/// Why something could not be observed: the claim is broken, never passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Unobserved {
    /// A sentence fragment: `cannot read /proc/self/status: ENOENT`.
    pub reason: String,
    /// Whether who looked may not look there: then nothing is said of what is there, and another user might see it.
    #[serde(default)]
    pub refused: bool,
}

impl Unobserved {
    /// An observation that failed for this reason.
    pub fn because(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), refused: false }
    }
}

/// The outcome of one query.
pub type Answer = Result<Reading, Unobserved>;
