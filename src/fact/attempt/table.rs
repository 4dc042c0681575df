//! The table of attempts. Each entry stands beside its code, in the file of its family.

use super::open;
use crate::fact::Attempt;

/// All attempts, in the manual's order.
pub static ATTEMPTS: &[Attempt] = &[open::OPEN, open::WRITE];

/// The attempt of this verb.
pub fn find_attempt(name: &str) -> Option<&'static Attempt> {
    ATTEMPTS.iter().find(|attempt| attempt.name == name)
}
