//! What is told of a run: one file per format, each a listener to the engine's events.

mod all;
pub mod diff;
pub mod file;
mod html;
mod json;
pub mod matrix;
mod output;
mod pretty;
mod progress;
pub mod proof;
mod terminal;
mod trouble;

pub use all::All;
pub use json::Json;
pub use pretty::Pretty;
pub use trouble::render;
