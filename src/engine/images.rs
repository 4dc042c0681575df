//! Images for a run: each is looked up, or built, once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::image::{ImageError, Rootfs, Store};

/// The image of a sandbox that names none.
pub(super) const DEFAULT: &str = "base";

type Found = Arc<OnceLock<Result<Rootfs, String>>>;

/// The images of a run.
#[derive(Debug)]
pub(super) struct Images {
    store: Store,
    found: Mutex<HashMap<(String, PathBuf), Found>>,
}

impl Images {
    pub(super) fn open() -> Result<Self, ImageError> {
        Ok(Self { store: Store::open()?, found: Mutex::default() })
    }

    /// The root of an image; the reason where there is none. Whoever comes second waits for the first.
    pub(super) fn root(&self, reference: &str, relative_to: &Path) -> Result<PathBuf, String> {
        let key = (reference.to_owned(), relative_to.to_owned());
        let found =
            Arc::clone(self.found.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let look_up = || self.store.rootfs(reference, relative_to).map_err(|error| error.to_string());
        found.get_or_init(look_up).as_ref().map(|rootfs| rootfs.path.clone()).map_err(Clone::clone)
    }
}
