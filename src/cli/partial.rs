//! What a run has found out until it is interrupted: it is told all the same.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::engine::{Event, Listener, Summary};
use crate::report::All;
use crate::sys::pipe::pause;

/// How long is waited for an event that is being told: whoever reads it may never read on.
const PATIENCE: Duration = Duration::from_secs(2);

/// Those who are told of a run, and what they were told. The run and the one who interrupts it have it in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Partial(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Who is told on the terminal; gone once the run is over.
    told: Option<All>,
    /// Who writes files, which are to hold all of a run or not to be there.
    files: Option<All>,
    summary: Summary,
    required: Vec<String>,
    tests: usize,
    began: Option<Instant>,
}

impl Partial {
    /// From now on these are told.
    pub(super) fn tell(&self, told: All, files: All, required: Vec<String>) -> Telling {
        let known = Known { told: Some(told), files: Some(files), required, ..Known::default() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Telling(self.clone())
    }

    /// Nobody is told anything more; with what this gives, what is known is told. The outcomes of what is ended now say nothing.
    pub(super) fn interrupt(&self) -> Option<Interrupted> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.0.try_lock() {
                Ok(mut known) => return Interrupted::of(&mut known),
                Err(TryLockError::Poisoned(known)) => return Interrupted::of(&mut known.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
                Err(TryLockError::WouldBlock) => pause(Duration::from_millis(5)),
            }
        }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Known").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// A run that was interrupted.
pub(super) struct Interrupted {
    told: All,
    summary: Summary,
    tests: usize,
    took: Duration,
}

impl Interrupted {
    fn of(known: &mut Known) -> Option<Self> {
        let (told, began) = (known.told.take()?, known.began?);
        known.files = None;
        let summary = std::mem::take(&mut known.summary);
        Some(Self { told, summary, tests: known.tests, took: began.elapsed() })
    }

    /// Tells what is known, as at a run's end.
    pub(super) fn tell(mut self) {
        let judged: usize = self.summary.counts.values().sum();
        self.told.hear(&Event::Finished { summary: &self.summary, took: self.took });
        anstream::eprintln!(
            "interrupted: {judged} of {} claims were judged; no report was written",
            self.tests
        );
    }
}

/// The run's end of it.
pub(super) struct Telling(Partial);

impl Telling {
    /// Why something could not be told on.
    pub(super) fn lost(&self) -> Option<String> {
        let known = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.told.iter().chain(&known.files);
        all.find_map(|all| all.lost().map(ToString::to_string))
    }
}

impl Listener for Telling {
    fn hear(&mut self, event: &Event<'_>) {
        let mut known = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.note(event);
        let Known { told, files, .. } = &mut *known;
        for all in told.iter_mut().chain(files) {
            all.hear(event);
        }
    }
}

impl Known {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { tests } => {
                self.tests = *tests;
                self.began = Some(Instant::now());
            }
            Event::Ended { outcome, .. } => self.summary.count(outcome, &self.required),
            // What was told as a whole is not told again in part.
            Event::Finished { .. } => self.began = None,
            Event::Begun { .. } => {}
        }
    }
}
