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
    /// Where they are looked up and built; where there is none, only those are had that were laid out.
    store: Option<Store>,
    found: Mutex<HashMap<(String, PathBuf), Found>>,
    /// By what specs call them.
    laid: Mutex<HashMap<String, PathBuf>>,
}

impl Images {
    pub(super) fn open() -> Result<Self, ImageError> {
        if crate::vm::is_guest() {
            let images = Self::at_hand();
            images.lay(crate::vm::brought_images());
            return Ok(images);
        }
        Ok(Self { store: Some(Store::open()?), found: Mutex::default(), laid: Mutex::default() })
    }

    /// Those only that are laid out.
    pub(super) fn at_hand() -> Self {
        Self { store: None, found: Mutex::default(), laid: Mutex::default() }
    }

    /// Lays out these and no others.
    pub(super) fn lay(&self, images: impl IntoIterator<Item = (String, PathBuf)>) {
        *self.laid.lock().unwrap_or_else(PoisonError::into_inner) = images.into_iter().collect();
    }

    /// The root of an image; the reason where there is none. Whoever comes second waits for the first.
    pub(super) fn root(&self, reference: &str, relative_to: &Path) -> Result<PathBuf, String> {
        let Some(store) = &self.store else {
            let laid = self.laid.lock().unwrap_or_else(PoisonError::into_inner).get(reference).cloned();
            return laid.ok_or_else(|| format!("the image {reference} was not brought along"));
        };
        let key = (reference.to_owned(), relative_to.to_owned());
        let found =
            Arc::clone(self.found.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let look_up = || store.rootfs(reference, relative_to).map_err(|error| error.to_string());
        found.get_or_init(look_up).as_ref().map(|rootfs| rootfs.path.clone()).map_err(Clone::clone)
    }
}
