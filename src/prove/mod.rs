//! The proof that claims can fail: every claim is judged again in sandboxes that are broken on purpose.

mod findings;
mod negate;
mod proof;
mod quarantine;
mod trials;

pub use findings::{Caught, Claimed, Denied, Findings, Idle, Tried, Verdict};
pub use proof::{Extent, Progress, prove};
pub use quarantine::enter as enter_quarantine;
