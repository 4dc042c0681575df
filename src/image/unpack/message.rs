//! What the two sides say to each other.

use serde::{Deserialize, Serialize};

use crate::image::{Limits, Missing};

/// What is to be unpacked where: the role's only argument, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Order {
    /// The folder that becomes the whole world.
    pub(in super::super) root: std::path::PathBuf,
    /// Whether it is a layer over others, whose whiteouts are to be applied; in a plain tar they are ordinary files.
    pub(in super::super) layer: bool,
    /// What is left of the image's limits.
    pub(in super::super) limits: Limits,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Line {
    /// Something could not be made; the unpacking goes on.
    Missing(Missing),
    /// All is unpacked. The last line.
    Done(Done),
    /// The archive is refused, with the entry's name in the sentence. The last line.
    Refused(String),
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Done {
    /// How many entries.
    pub(in super::super) entries: u64,
    /// How many bytes in files.
    pub(in super::super) bytes: u64,
    /// The SHA-256 of the tar after decompression, in hexadecimal: what OCI calls the diff id.
    pub(in super::super) diff_id: String,
}
