//! What lies beside a root filesystem: `image.json`, which is also the lock against its removal.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::memo::write_json;
use crate::image::error::{Result, io};
use crate::image::report::Report;

/// What `image.json` says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// The name of the recipe or archive that it was first built for.
    pub(super) name: String,
    /// What could not be made.
    pub(super) report: Report,
}

/// The folder of an image. A digest is 64 hexadecimal digits; anything else, from a file that was tampered with, must not
/// become a path.
pub(super) fn folder_name(digest: &str) -> &str {
    let plain = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { digest } else { "no-digest" }
}

/// Reads it, and takes a shared lock that lasts as long as the file is open.
pub(super) fn open(folder: &Path) -> Result<(About, File)> {
    let path = folder.join("image.json");
    let mut file = File::open(&path).map_err(io("open", &path))?;
    file.lock_shared().map_err(io("flock", &path))?;
    // Removed between the opening and the locking: then the folder is no longer there.
    std::fs::symlink_metadata(&path).map_err(io("stat", &path))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(io("read", &path))?;
    let about = serde_json::from_slice(&text).map_err(|error| io("read", &path)(error.into()))?;
    Ok((about, file))
}

/// Writes it into the folder of an image in the making.
pub(super) fn write(folder: &Path, about: &About) -> Result<()> {
    write_json(&folder.join("image.json"), about)
}
