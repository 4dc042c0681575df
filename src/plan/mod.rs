//! From specs to tests: which claims are run on which runtimes, what keeps them from being run, and what they share.

mod names;
mod needs;
mod select;
mod test;

pub use names::spec_files;
pub use needs::unmet;
pub use select::{Choice, choose};
pub use test::{Group, Plan, PlanError, Skip, Test};
