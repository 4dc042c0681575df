//! What a careless launcher hands down to what it starts: each kind of it, and how a process is given it.

use serde::{Deserialize, Serialize};

/// One thing that is inherited across fork(2) and execve(2), and that a sandbox must not inherit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poison {
    /// A descriptor of the host's root directory (CVE-2024-21626).
    Directory,
    /// A descriptor of a file of the host, open for writing.
    File,
    /// A secret in the environment.
    Environment,
    /// A blocked signal.
    BlockedSignal,
    /// An ignored signal.
    IgnoredSignal,
    /// A umask of 077.
    Umask,
    /// A working directory outside the sandbox's root.
    WorkingDirectory,
    /// A niceness of 5.
    Niceness,
    /// An `oom_score_adj` of 500.
    OomScore,
    /// A personality: `ADDR_NO_RANDOMIZE`.
    Personality,
    /// A session keyring with a key in it.
    SessionKeyring,
    /// A key in the user keyring, which all processes of a user share.
    UserKeyring,
    /// A controlling terminal.
    Terminal,
}

impl Poison {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Directory,
        Self::File,
        Self::Environment,
        Self::BlockedSignal,
        Self::IgnoredSignal,
        Self::Umask,
        Self::WorkingDirectory,
        Self::Niceness,
        Self::OomScore,
        Self::Personality,
        Self::SessionKeyring,
        Self::UserKeyring,
        Self::Terminal,
    ];

    /// Its name, for a reader.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "a directory of the host",
            Self::File => "a file of the host",
            Self::Environment => "environment",
            Self::BlockedSignal => "blocked signal",
            Self::IgnoredSignal => "ignored signal",
            Self::Umask => "umask",
            Self::WorkingDirectory => "working directory",
            Self::Niceness => "niceness",
            Self::OomScore => "oom_score_adj",
            Self::Personality => "personality",
            Self::SessionKeyring => "session keyring",
            Self::UserKeyring => "user keyring",
            Self::Terminal => "controlling terminal",
        }
    }
}
