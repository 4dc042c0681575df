//! The side that runs in the sandbox, and the typed messages of both sides.

mod channel;
mod line;
pub mod protocol;
mod role;
mod serve;

pub use channel::{Channel, ChannelError, Vouch};
pub use role::{ROLE, run};
pub use serve::serve;
