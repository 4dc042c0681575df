//! Text to [`Spec`]: the size cap, the outline of positions, decoding, spec errors.

mod model;
mod scalar;
mod settings;

pub use model::{
    About, Action, Asked, Claim, Command, Expected, Kill, KnownIssue, Need, NeedKind, Pace, Row, Scenario,
    Seen, Sender, Spec, Step, Words,
};
pub use scalar::{Percent, Size};
pub use settings::{
    Capabilities, IdRange, Limits, Mount, Namespace, Namespaces, Network, Profile, Root, Settings, User,
};
