//! A spec file that a plan refers to. A run over many files does not hold them all in memory: those beyond the first few are
//! read again when it is their turn.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::spec::{self, Spec};

/// A spec file.
#[derive(Debug)]
pub struct SpecFile {
    path: PathBuf,
    /// Held where there is room.
    kept: Option<Arc<Spec>>,
    /// Held by the tests that are being run.
    used: Mutex<Weak<Spec>>,
}

impl SpecFile {
    /// The file of a spec that has just been read; `keep` it in memory or read it again.
    pub fn new(spec: &Arc<Spec>, keep: bool) -> Self {
        let kept = keep.then(|| Arc::clone(spec));
        Self { path: spec.path.clone(), kept, used: Mutex::new(Arc::downgrade(spec)) }
    }

    /// Its path as the user named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The spec. What was well-formed when the plan was made may have been changed since: then the reason.
    pub fn spec(&self) -> Result<Arc<Spec>, String> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spec) = self.kept.clone().or_else(|| used.upgrade()) {
            return Ok(spec);
        }
        let spec = spec::load(&self.path).map(Arc::new).map_err(|problems| problems.render(false))?;
        *used = Arc::downgrade(&spec);
        Ok(spec)
    }
}
