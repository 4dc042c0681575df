//! What an experiment has seen.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::fact::Outcome;
use crate::sys::errno_name;

/// The outcome of the call that matters, or why it was not reached.
pub(super) type Seen = Result<Outcome, Trouble>;

/// What went wrong on the way: nothing was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble(pub(super) String);

impl Trouble {
    /// For this reason.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The outcome of the call that matters.
#[expect(clippy::unnecessary_wraps, reason = "it is what an experiment returns")]
pub(super) fn tried<T>(result: Result<T, impl Number>) -> Seen {
    Ok(match result {
        Ok(_) => Outcome::Allowed,
        Err(error) => Outcome::Failed(errno_name(error.number())),
    })
}

/// A value that was seen.
#[expect(clippy::unnecessary_wraps, reason = "it is what an experiment returns")]
pub(super) fn gave(value: impl Into<String>) -> Seen {
    Ok(Outcome::Gave(value.into()))
}

/// An error with an errno.
pub(super) trait Number {
    /// The errno.
    fn number(&self) -> i32;
}

impl Number for Errno {
    fn number(&self) -> i32 {
        *self as i32
    }
}

impl Number for rustix::io::Errno {
    fn number(&self) -> i32 {
        self.raw_os_error()
    }
}

impl Number for std::io::Error {
    fn number(&self) -> i32 {
        self.raw_os_error().unwrap_or(libc::EIO)
    }
}

/// What must succeed before, or beside.
pub(super) trait Prepares<T> {
    /// The value, or the trouble that this step failed.
    fn prepares(self, step: &str) -> Result<T, Trouble>;
}

impl<T, E: Number> Prepares<T> for Result<T, E> {
    fn prepares(self, step: &str) -> Result<T, Trouble> {
        self.map_err(|error| Trouble(format!("{step}: {}", errno_name(error.number()))))
    }
}

/// A control: this must have come of the same call without the restriction.
pub(super) fn control(holds: bool, what: &str) -> Result<(), Trouble> {
    if holds { Ok(()) } else { Err(Trouble(format!("the control is not as it must be: {what}"))) }
}
