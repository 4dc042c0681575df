//! The exit codes, all of them.

use std::process::ExitCode;

use crate::engine::{Ended, Summary};

/// How airtight ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: every claim that was measured held, and all that was required was measured.
    Held,
    /// 1: a claim failed.
    Failed,
    /// 2: a spec, or the command line, is wrong.
    Wrong,
    /// 3: nothing was measured, or not all that was required.
    Unmeasured,
    /// 4: something could not be observed, or airtight could not do its work.
    Broken,
}

/// The table, for `--help`.
pub(super) const HELP: &str = "Exit codes: 0 every claim held; 1 a claim failed; 2 a spec or the command line is wrong; \
3 nothing was measured, or not all that was required; 4 something could not be observed; 130 interrupted.";

impl Exit {
    /// The worst that a run's numbers say.
    pub fn of(summary: &Summary) -> Self {
        if summary.of(Ended::Failed) > 0 {
            Self::Failed
        } else if summary.of(Ended::Broken) > 0 {
            Self::Broken
        } else if summary.required > 0 || summary.measured() == 0 {
            Self::Unmeasured
        } else {
            Self::Held
        }
    }

    /// The same, unless all was well so far.
    #[must_use]
    pub(super) fn or_broken(self) -> Self {
        if self == Self::Held { Self::Broken } else { self }
    }

    /// Says why on standard error.
    #[must_use]
    pub(crate) fn telling(self, error: &dyn std::fmt::Display) -> Self {
        anstream::eprintln!("error: {error}");
        self
    }

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Failed => 1,
            Self::Wrong => 2,
            Self::Unmeasured => 3,
            Self::Broken => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
