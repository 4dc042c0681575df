//! The same claims on several runtimes, side by side.

mod between;
mod columns;
mod difference;
mod gather;
mod layout;
mod machine;
mod table;
mod told;

pub use crate::plan::Column;
pub use between::{BetweenKernels, HOST};
pub use difference::{Difference, Differences};
pub use gather::Gather;
pub(super) use gather::{about, areas};
pub use layout::{layout, marked, marked_in};
pub use machine::Machine;
pub use table::{About, Cell, Mark, Matrix, Row};
pub use told::SideBySide;
