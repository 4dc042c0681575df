//! The side that runs in the sandbox, and the typed messages of both sides.

pub mod protocol;
