//! The proof that claims can fail: every claim is judged again in sandboxes that are broken on purpose.

mod findings;
mod proof;
mod quarantine;
mod trials;

pub use findings::{Caught, Claimed, Denied, Findings, Tried, Verdict};
pub use proof::{Progress, prove};
pub use quarantine::enter as enter_quarantine;
