//! A cache of a test's own, and what is left in it.

use std::path::{Path, PathBuf};

use airtight::image::{ImageError, Rootfs, Store};
use tempfile::TempDir;

/// A temporary folder with a store in it.
pub(super) struct Place {
    folder: TempDir,
    pub(super) store: Store,
}

impl Place {
    /// This program's main is the test harness's: the roles are played by the command.
    pub(super) fn play() {
        airtight::role::play_with(env!("CARGO_BIN_EXE_airtight"));
    }

    pub(super) fn new() -> Self {
        Self::play();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(&folder.path().join("images")).unwrap();
        Self { folder, store }
    }

    /// The folder, which goes when it is dropped, without the store, which holds its images in use.
    pub(super) fn part(self) -> (TempDir, Store) {
        (self.folder, self.store)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file beside the cache.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The image of an archive with this content.
    pub(super) fn image(&self, archive: &[u8]) -> Result<Rootfs, ImageError> {
        let path = self.write("archive", archive);
        self.store.rootfs(path.to_str().unwrap(), Path::new("/"))
    }

    /// The names in a folder of the cache.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join("images").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}
