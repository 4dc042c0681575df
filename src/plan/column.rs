//! Where a test is run: what a column of a matrix stands for.

use serde::{Deserialize, Serialize};

/// A runtime, on the host's kernel or on another.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Column {
    /// What it is called: `native`, `native on 6.12.117`. No two of a matrix are alike.
    pub name: String,
    /// The runtime's name.
    pub runtime: String,
    /// The kernel's name; `None` is the host's own.
    pub kernel: Option<String>,
}

impl Column {
    /// Of this runtime, on this kernel.
    pub fn new(runtime: &str, kernel: Option<&str>) -> Self {
        Self { name: name(runtime, kernel), runtime: runtime.to_owned(), kernel: kernel.map(str::to_owned) }
    }

    /// Whether it stands for this runtime on this kernel.
    pub fn is(&self, runtime: &str, kernel: Option<&str>) -> bool {
        self.runtime == runtime && self.kernel.as_deref() == kernel
    }
}

/// `native on 6.12.117`.
pub(super) fn name(runtime: &str, kernel: Option<&str>) -> String {
    kernel.map_or_else(|| runtime.to_owned(), |kernel| format!("{runtime} on {kernel}"))
}
