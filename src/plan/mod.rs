//! From specs to tests: which claims are run on which runtimes, what keeps them from being run, and what they share.

mod entry;
mod file;
mod names;
mod needs;
mod select;
mod test;

pub use entry::{Entry, Group, Plan, PlanError};
pub use file::SpecFile;
pub use names::spec_files;
pub use needs::{KNOWN_ISSUE, Skip, check_required, unmet};
pub use select::{Choice, choose};
pub use test::Test;
