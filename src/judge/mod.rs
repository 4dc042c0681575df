//! Expectations and observations to a verdict with its explanation. Pure: no privileges, no clock.

mod evidence;
mod hint;
mod observations;
mod queries;
mod verdict;

pub use evidence::{Evidence, readings};
pub use observations::Observations;
pub use queries::{needs_sandboxes, queries};
pub use verdict::{Finding, Verdict, judge, judge_command, judge_value};
