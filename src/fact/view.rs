//! Viewpoints: who looks.

use serde::{Deserialize, Serialize};

/// A viewpoint of a scenario. Names are those of its sandboxes, and of the further processes that its steps named.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum View {
    /// The named sandbox's own process looks at itself.
    Inside(String),
    /// The host looks at the named sandbox's first process, or at a further process of that name.
    Outside(String),
    /// The runner looks at itself.
    Host,
    /// The sibling of the named sandbox in which the restrictions are lifted: where `denied` has its control.
    Control(String),
    /// Another view as it was when the claim began: what `unchanged` compares with.
    Beginning(Box<View>),
}
