//! From specs to tests: which claims are run on which runtimes, what keeps them from being run, and what they share.

mod column;
mod entry;
mod file;
mod names;
mod needs;
mod partition;
mod select;
mod test;

pub use column::Column;
pub use entry::{Entry, Group, Plan, PlanError};
pub use file::SpecFile;
pub use names::spec_files;
pub use needs::{KNOWN_ISSUE, Skip, check_required, unmet};
pub use partition::{How, Partition, PartitionError, Parts};
pub use select::{Choice, choose};
pub use test::Test;
