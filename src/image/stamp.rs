//! What tells, without reading it, that a file is still the one that was read.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file or folder as it stood when an image was made of it, or that it was not there. The change time (ctime) is part of it,
/// because a program can set mtime back but not ctime (inode(7)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    path: PathBuf,
    seen: Option<Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of what `path` leads to; symbolic links are followed.
    pub(crate) fn of(path: &Path) -> Self {
        let seen = std::fs::metadata(path).ok().map(|meta| Seen {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        });
        Self { path: path.to_owned(), seen }
    }

    /// Whether nothing has changed.
    pub(crate) fn holds(&self) -> bool {
        Self::of(&self.path) == *self
    }

    /// The stamp as text for a digest.
    pub(crate) fn text(&self) -> String {
        format!("{self:?}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_the_file_changes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        let absent = Stamp::of(&file);
        assert!(absent.holds());
        std::fs::write(&file, "one").unwrap();
        assert!(!absent.holds());
        let stamp = Stamp::of(&file);
        assert!(stamp.holds());
        std::fs::write(&file, "other").unwrap();
        assert!(!stamp.holds());
    }
}
