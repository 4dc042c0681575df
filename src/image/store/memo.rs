//! What a recipe led to last time.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::image::error::{Result, io};
use crate::image::stamp::Stamp;

/// The digest that a key led to, and the files that it depends on besides what the key covers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memo {
    /// The image.
    pub(super) digest: String,
    /// The files, as they were.
    pub(super) inputs: Vec<Stamp>,
}

impl Memo {
    /// The memo in this file, if it still holds. One that cannot be read holds nothing.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let memo: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        memo.inputs.iter().all(Stamp::holds).then_some(memo)
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }
}

/// Writes a value beside `path` and renames it into place: a reader sees the old file or the new one.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| io("write", path)(error.into()))?;
    let beside: PathBuf = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&beside, text).map_err(io("write", &beside))?;
    std::fs::rename(&beside, path).map_err(io("rename", path))
}
