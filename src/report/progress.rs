//! How far a run is, on a terminal's standard error.

use std::io::IsTerminal;

/// A line that is written over; none where nobody would see it.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    ended: usize,
    tests: usize,
}

impl Progress {
    /// Of so many tests.
    pub(super) fn new(tests: usize) -> Self {
        let shown = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Self { shown, ended: 0, tests }
    }

    /// One more has ended.
    pub(super) fn step(&mut self) {
        self.ended += 1;
        self.clear();
        self.show();
    }

    /// Counts one more, and shows nothing yet.
    pub(super) fn count(&mut self) {
        self.ended += 1;
    }

    /// Writes the line.
    pub(super) fn show(&self) {
        if self.shown && self.ended < self.tests {
            anstream::eprint!("  {} of {} claims", self.ended, self.tests);
        }
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        if self.shown {
            anstream::eprint!("\r\x1b[K");
        }
    }
}
