//! What a reading is held against: the host's, and the sandboxes of the same scenario.

use super::Value;

/// What a reading is held against.
#[derive(Debug, Clone, Copy)]
pub struct Peers<'a> {
    /// The host's reading of the fact that [`super::reference`] names.
    pub host: &'a Value,
    /// The sandboxes of the scenario that run, each by its first process.
    pub sandboxes: &'a [Peer],
    /// Whether the process itself gave the reading, in the numbers of its own namespaces.
    pub inside: bool,
}

/// A sandbox that a process may be in.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// As a spec says it after `joined`: the sandbox's name, or `first` for the only one.
    pub name: String,
    /// The fact `namespaces` of its first process.
    pub namespaces: Value,
    /// Whether the reading is of that very process.
    pub itself: bool,
}

impl<'a> Peers<'a> {
    /// Only the host.
    pub const fn host(host: &'a Value) -> Self {
        Self { host, sandboxes: &[], inside: false }
    }
}
