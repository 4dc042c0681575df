//! What is told of a run: one file per format, each a listener to the engine's events.

mod json;
mod pretty;
pub mod proof;
mod trouble;

pub use json::Json;
pub use pretty::Pretty;
pub use trouble::render;
