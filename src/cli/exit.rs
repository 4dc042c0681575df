//! The exit codes, all of them.

use std::process::ExitCode;

use crate::engine::{Ended, Summary};

/// How airtight ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: every claim that was measured held, and all that was required was measured.
    Held,
    /// 1: a claim failed, or the kernel under it crashed.
    Failed,
    /// 2: a spec, or the command line, is wrong.
    Wrong,
    /// 3: nothing was measured, or not all that was required.
    Unmeasured,
    /// 4: something could not be observed, or airtight could not do its work.
    Broken,
}

/// The table, for `--help`.
pub(super) const HELP: &str = "Exit codes: 0 every claim held; 1 a claim failed, or the kernel under it crashed; 2 a spec or the command line is wrong; \
3 nothing was measured, or not all that was required; 4 something could not be observed; 130 interrupted. With `run --bisect`, as `git bisect run` wants them: \
0 every claim held; 1 a claim failed, or the kernel crashed; 125 it did not boot, or something could not be observed; 128 a spec or the command line is wrong.";

impl Exit {
    /// The worst that a run's numbers say.
    pub fn of(summary: &Summary) -> Self {
        if summary.of(Ended::Failed) + summary.of(Ended::Crashed) > 0 {
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

    /// The worse of two.
    #[must_use]
    pub(super) fn worse(self, other: Self) -> Self {
        let order = [Self::Held, Self::Unmeasured, Self::Broken, Self::Failed, Self::Wrong];
        let place = |exit: Self| order.iter().position(|known| *known == exit);
        if place(other) > place(self) { other } else { self }
    }

    /// Says why on standard error.
    #[must_use]
    pub(crate) fn telling(self, error: &dyn std::fmt::Display) -> Self {
        anstream::eprintln!("error: {error}");
        self
    }

    /// The number that `git bisect run` understands (git-bisect(1)): 0 good, 1 bad, 125 where this commit cannot be judged, and above 127 where none can be.
    pub(super) const fn for_bisect(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Failed => 1,
            Self::Unmeasured | Self::Broken => 125,
            Self::Wrong => 128,
        }
    }

    /// What another airtight means by its number; whatever else it is, is no judgement.
    pub(super) fn of_code(code: i32) -> Self {
        let all = [Self::Held, Self::Failed, Self::Wrong, Self::Unmeasured];
        all.into_iter().find(|exit| i32::from(exit.code()) == code).unwrap_or(Self::Broken)
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

#[cfg(test)]
mod tests {
    use super::Exit;
    use crate::engine::{Outcome, Summary, Trouble};

    #[test]
    fn a_run_ends_with_the_worst_of_it() {
        let check = |outcomes: &[Outcome], expected: Exit| {
            let mut summary = Summary::default();
            for outcome in outcomes {
                summary.count(outcome, &[]);
            }
            assert_eq!(Exit::of(&summary), expected, "{outcomes:?}");
        };
        let (failed, broken) = (Outcome::Failed(Trouble::default()), Outcome::Broken(Trouble::default()));
        let crashed = Outcome::Crashed(Trouble::default());
        check(&[], Exit::Unmeasured);
        check(&[Outcome::Passed], Exit::Held);
        check(&[Outcome::Passed, failed], Exit::Failed);
        check(&[Outcome::Passed, broken.clone()], Exit::Broken);
        check(&[Outcome::Passed, broken, crashed], Exit::Failed);
    }
}
