//! Tests that another kernel judges.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::outcome::Outcome;
use crate::judge::Observations;
use crate::plan::Test;
use crate::sandbox::Nursery;

/// Who has tests judged on kernels that are not this machine's.
pub trait Elsewhere: Sync {
    /// Has the tests of one scenario on one runtime judged by a kernel, and tells of each what became of it; exactly once, in bounded time.
    fn judge(&self, errand: &Errand<'_>, told: &mut dyn FnMut(News));
}

/// What is to be judged elsewhere.
pub struct Errand<'a> {
    /// The kernel, by its name.
    pub kernel: &'a str,
    /// What the names of the tests begin with, without the scenario.
    pub prefix: &'a str,
    /// The tests with their places in the plan; of one scenario, one runtime, one kernel; never empty.
    pub tests: &'a [(usize, Arc<Test>)],
    /// What makes processes.
    pub nursery: &'a Nursery,
    /// The root of an image on this machine, or why there is none.
    pub image: &'a (dyn Fn(&str, &Path) -> Result<PathBuf, String> + Sync),
}

impl std::fmt::Debug for Errand<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Errand").field("kernel", &self.kernel).finish_non_exhaustive()
    }
}

/// What is told of it.
#[derive(Debug)]
pub enum News {
    /// A test was judged.
    Ended {
        /// Its place in the plan.
        place: usize,
        /// What became of it.
        outcome: Outcome,
        /// What was observed last.
        observed: Observations,
        /// How long it took there.
        took: Duration,
    },
    /// So many sandboxes were started, controls among them, and so many controls.
    Sandboxes(usize, usize),
}
