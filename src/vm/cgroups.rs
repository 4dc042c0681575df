//! In which form a machine has its cgroups.

use clap::ValueEnum;
use serde::Deserialize;

/// The hierarchies that a guest mounts, as systemd would (`systemd.unified_cgroup_hierarchy` of kernel-command-line(7)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cgroups {
    /// The unified hierarchy, with every controller
    #[default]
    V2,
    /// Version 1: a hierarchy for each controller, and none of version 2
    V1,
    /// Version 1 with all controllers, and beside it the unified hierarchy without any
    Hybrid,
}

impl Cgroups {
    const ALL: [Self; 3] = [Self::V2, Self::V1, Self::Hybrid];

    /// The word for it: in a list, on the command line of airtight, and on that of the guest's first process.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
            Self::Hybrid => "hybrid",
        }
    }

    /// What a word says.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cgroups| cgroups.word() == word)
    }
}
