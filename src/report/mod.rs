//! What is told of a run: one file per format, each a listener to the engine's events.

mod all;
pub mod diff;
pub mod file;
mod html;
mod json;
pub mod matrix;
pub mod merge;
mod output;
mod pretty;
mod progress;
pub mod proof;
mod terminal;
mod trouble;
mod visible;
mod whole;

pub use all::All;
pub use json::Json;
pub(crate) use output::Output;
pub use pretty::Pretty;
pub(crate) use terminal::width as terminal_width;
pub use trouble::render;
pub(crate) use visible::in_one_line;
pub use whole::whole;
