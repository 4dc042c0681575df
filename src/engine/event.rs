//! What a run tells while it goes on.

use std::time::Duration;

use super::outcome::{Outcome, Summary};
use crate::judge::Observations;
use crate::plan::{Entry, Test};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run begins.
    Started {
        /// How many tests there are, with those that are skipped.
        tests: usize,
    },
    /// A test is being judged.
    Begun {
        /// The test, as the plan has it.
        entry: &'a Entry,
    },
    /// A test has ended.
    Ended {
        /// The test, as the plan has it.
        entry: &'a Entry,
        /// The same with its spec; `None` where that cannot be read any more.
        test: Option<&'a Test>,
        /// What became of it.
        outcome: &'a Outcome,
        /// What was observed at its last look; nothing where it was not run.
        observed: &'a Observations,
        /// How long it took.
        took: Duration,
    },
    /// The run is over.
    Finished {
        /// It in numbers.
        summary: &'a Summary,
        /// How long it took.
        took: Duration,
    },
}

/// Who is told. Events of one run come one at a time.
pub trait Listener: Send {
    /// Hears one event.
    fn hear(&mut self, event: &Event<'_>);

    /// Why something that it heard could not be told on, if that is so: a run whose report is lost is not green.
    fn lost(&self) -> Option<&std::io::Error> {
        None
    }
}
