//! The proof that claims can fail: every claim is judged again in sandboxes that are broken on purpose.

mod company;
mod findings;
mod hunch;
mod names;
mod negate;
mod proof;
mod quarantine;
mod rounds;
mod ways;

pub use findings::{Caught, Claimed, Denied, Findings, Idle, Left, Tried, Verdict};
pub use proof::{Extent, Progress, prove};
pub use quarantine::enter as enter_quarantine;
