//! The viewpoints of the table's entries.

/// A viewpoint in the table: who looks at whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vantage {
    /// A process in the sandbox looks at itself.
    Inside,
    /// The host looks at that process.
    Outside,
    /// The runner looks at itself.
    Host,
}

/// Observable from every viewpoint.
pub(super) const EVERYWHERE: &[Vantage] = &[Vantage::Inside, Vantage::Outside, Vantage::Host];
/// Observable only by the process itself, in the sandbox or on the host.
pub(super) const ITSELF: &[Vantage] = &[Vantage::Inside, Vantage::Host];
/// Observable only by the host that looks at the process.
pub(super) const FROM_OUTSIDE: &[Vantage] = &[Vantage::Outside];
