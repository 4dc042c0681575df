//! The same claims on several runtimes, side by side.

mod columns;
mod difference;
mod gather;
mod layout;
mod table;
mod told;

pub use difference::{Difference, Differences};
pub use gather::Gather;
pub use layout::{layout, marked};
pub use table::{About, Cell, Mark, Matrix, Row};
pub use told::SideBySide;
