//! One of several parts of a plan, for machines that share the work: `--partition 2/3`.

use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::{Entry, Plan};
use crate::image::hex;

/// Which part, and how the whole is split. cargo-nextest spells it the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// How a scenario finds its part.
    pub how: How,
    /// Which part, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// How a scenario on a column finds its part. It is never split: its claims share their sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The largest first, each to the part that has the fewest claims so far: as even as may be.
    Count,
    /// By its name alone: it stays in its part whatever is added beside it.
    Hash,
}

/// The parts of a whole that a report holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// How it was split.
    pub how: How,
    /// How many parts the whole has.
    pub of: usize,
    /// Which of them are here, from 1, in order.
    pub numbers: Vec<usize>,
    /// What the whole is known by: parts of different plans do not fit together. A SHA-256 over the names of its tests.
    pub plan: String,
}

/// What is wrong with a partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// It has another form.
    #[error(
        "`{0}` is no partition: write N/M, as 1/3; or hash:1/3, by which a scenario keeps its part when others are added"
    )]
    Form(String),
    /// There is no such part.
    #[error("there is no part {number} of {of}: parts are counted from 1 to {of}")]
    NoSuchPart {
        /// The part.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Nothing cannot be split.
    #[error("there cannot be 0 parts: 1/1 is the whole")]
    NoParts,
}

impl FromStr for Partition {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let form = || PartitionError::Form(text.to_owned());
        let (how, rest) = match text.split_once(':') {
            None => (How::Count, text),
            // nextest's `slice` is what `count` is where there are not several test programs.
            Some(("count" | "slice", rest)) => (How::Count, rest),
            Some(("hash", rest)) => (How::Hash, rest),
            Some(_) => return Err(form()),
        };
        let (number, of) = rest.split_once('/').ok_or_else(form)?;
        match (parsed(number).ok_or_else(form)?, parsed(of).ok_or_else(form)?) {
            (_, 0) => Err(PartitionError::NoParts),
            (number, of) if number == 0 || number > of => Err(PartitionError::NoSuchPart { number, of }),
            (number, of) => Ok(Self { how, number, of }),
        }
    }
}

/// Digits and nothing else: `usize` would take a plus.
fn parsed(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "part {} of {}", self.number, self.of)
    }
}

impl Plan {
    /// Leaves only this part of the tests. Which one a test is in depends on nothing but the names of all of them, so that machines that
    /// can do more or less agree on it.
    pub fn leave_part(&mut self, partition: &Partition) {
        let parts = parts_of(&self.entries, partition);
        let (how, of) = (partition.how, partition.of);
        let parts_here = Parts { how, of, numbers: vec![partition.number], plan: digest(&self.entries) };
        let mut part = parts.into_iter();
        self.entries.retain(|_| part.next() == Some(partition.number));
        self.parts = Some(parts_here);
    }
}

/// The part of each test, from 1.
fn parts_of(entries: &[Entry], partition: &Partition) -> Vec<usize> {
    let mut units: IndexMap<String, Vec<usize>> = IndexMap::new();
    for (place, entry) in entries.iter().enumerate() {
        units.entry(format!("{} [{}]", entry.scenario(), entry.column().name)).or_default().push(place);
    }
    let chosen = match partition.how {
        How::Hash => units.keys().map(|name| hashed(name, partition.of)).collect(),
        How::Count => balanced(&units.values().map(Vec::len).collect::<Vec<_>>(), partition.of),
    };
    let mut parts = vec![0; entries.len()];
    for (unit, part) in units.values().zip(chosen) {
        for place in unit {
            parts[*place] = part + 1;
        }
    }
    parts
}

/// The part of each of these sizes, from 0: the largest first, each to the lightest part, the first of those.
fn balanced(sizes: &[usize], of: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|unit| std::cmp::Reverse(sizes[*unit]));
    // More parts than units are never reached: nobody waits for a million empty ones.
    let mut lightest: std::collections::BTreeSet<(usize, usize)> =
        (0..of.min(sizes.len())).map(|part| (0, part)).collect();
    let mut chosen = vec![0; sizes.len()];
    for unit in order {
        let Some((size, part)) = lightest.pop_first() else { break };
        chosen[unit] = part;
        lightest.insert((size + sizes[unit], part));
    }
    chosen
}

/// The part, from 0, of this name.
fn hashed(name: &str, of: usize) -> usize {
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number % of as u64).unwrap_or(0)
}

fn digest(entries: &[Entry]) -> String {
    let mut digest = Sha256::new();
    for entry in entries {
        digest.update(entry.name.as_bytes());
        digest.update([0]);
    }
    hex(digest)
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
