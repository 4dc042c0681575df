//! What became of a claim, and of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::judge::Finding;
use crate::plan::Skip;

/// What became of one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Observed, and so.
    Passed,
    /// Observed, and not so.
    Failed(Trouble),
    /// A need is not met, or a defect is known.
    Skipped(Skip),
    /// A `given` is false, or what was observed says nothing here.
    NotMeasured(String),
    /// It could not be observed.
    Broken(Trouble),
    /// The kernel under it died while it was judged, or did nothing more.
    Crashed(Trouble),
}

/// Why a claim is red.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// What was found, each with its place in the spec.
    pub findings: Vec<Finding>,
    /// What went wrong besides: the runtime failed, the time was up.
    pub message: Option<String>,
    /// Where the evidence was kept.
    pub kept: Option<PathBuf>,
}

/// How a run ended: the test's outcome under the name that reports use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// See [`Outcome::Passed`].
    Passed,
    /// See [`Outcome::Failed`].
    Failed,
    /// See [`Outcome::Skipped`].
    Skipped,
    /// See [`Outcome::NotMeasured`].
    NotMeasured,
    /// See [`Outcome::Broken`].
    Broken,
    /// See [`Outcome::Crashed`].
    Crashed,
}

impl Trouble {
    /// Nothing but a message.
    pub fn saying(message: impl std::fmt::Display) -> Self {
        Self { message: Some(message.to_string()), ..Self::default() }
    }

    /// These findings.
    pub fn found(findings: Vec<Finding>) -> Self {
        Self { findings, ..Self::default() }
    }
}

impl Outcome {
    /// Its name.
    pub const fn ended(&self) -> Ended {
        match self {
            Self::Passed => Ended::Passed,
            Self::Failed(_) => Ended::Failed,
            Self::Skipped(_) => Ended::Skipped,
            Self::NotMeasured(_) => Ended::NotMeasured,
            Self::Broken(_) => Ended::Broken,
            Self::Crashed(_) => Ended::Crashed,
        }
    }

    /// What is to be told of it, if it is red.
    pub const fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Failed(trouble) | Self::Broken(trouble) | Self::Crashed(trouble) => Some(trouble),
            _ => None,
        }
    }
}

impl Ended {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::Passed, Self::Failed, Self::Crashed, Self::Broken, Self::Skipped, Self::NotMeasured];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotMeasured => "not measured",
            Self::Broken => "broken",
            Self::Crashed => "crashed",
        }
    }
}

/// A run in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many tests ended how.
    pub counts: BTreeMap<Ended, usize>,
    /// Reasons of skips and of what was not measured, with how often each was met.
    pub reasons: BTreeMap<String, usize>,
    /// How many skips were required not to be.
    pub required: usize,
    /// How many sandboxes were started, controls among them.
    pub sandboxes: usize,
    /// How many of them were controls.
    pub controls: usize,
}

impl Summary {
    /// Counts one more.
    pub fn count(&mut self, outcome: &Outcome, required: &[String]) {
        *self.counts.entry(outcome.ended()).or_default() += 1;
        let reason = match outcome {
            Outcome::Skipped(skip) => {
                self.required += usize::from(skip.is_required(required));
                format!("{}: {}", skip.need, skip.reason)
            }
            Outcome::NotMeasured(reason) => reason.clone(),
            _ => return,
        };
        *self.reasons.entry(reason).or_default() += 1;
    }

    /// How many ended so.
    pub fn of(&self, ended: Ended) -> usize {
        self.counts.get(&ended).copied().unwrap_or(0)
    }

    /// How many claims were measured at all.
    pub fn measured(&self) -> usize {
        self.of(Ended::Passed) + self.of(Ended::Failed)
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
