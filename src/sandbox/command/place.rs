//! Where a sandbox's things lie on the stage.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sandbox::nursery::{Nursery, Part};

/// Where a bundle lies on the stage.
pub(super) const BUNDLE: &str = "bundle";

/// Where a sandbox's things lie, and what it is called.
pub(super) struct Place {
    pub(super) stage: PathBuf,
    pub(super) id: String,
}

impl Place {
    pub(super) fn new(stage: &Path, id: &str) -> Self {
        Self { stage: stage.to_owned(), id: id.to_owned() }
    }

    /// Each sandbox has a name of its own, by which what a runtime leaves is known to be this run's.
    pub(super) fn of(nursery: &Nursery) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let run = nursery.run();
        Self::new(&run.stage(), &format!("airtight-{}.c{}", run.tag(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// What a further process in it is a part of.
    pub(super) fn further(&self) -> Part {
        Part::Further(self.id.clone())
    }

    pub(super) fn bundle(&self) -> PathBuf {
        self.stage.join(BUNDLE)
    }
}
