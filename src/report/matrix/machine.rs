//! Where a run took place.

use nix::sys::utsname::uname;
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

/// What a report says of the machine: the rest of it is in what was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The release of its kernel, under which the claims were judged that no other kernel is named for.
    pub kernel: String,
    /// Who ran it: `root`, `uid 1000`.
    pub user: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let kernel = uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default();
        let user = Uid::effective();
        Self { kernel, user: if user.is_root() { "root".to_owned() } else { format!("uid {user}") } }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "as {} on Linux {}", self.user, self.kernel)
    }
}
