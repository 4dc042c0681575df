//! Sandboxes that nobody uses just now, and that are as they were when they were made: whoever needs one of their kind takes it, and no new
//! one is made. Claims that only look, and controls whose attempts leave nothing behind, hand theirs on so, even to other scenarios.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fact::{Query, Subject, find};
use crate::sandbox::Sandbox;

/// The sandboxes by their kinds, the one that waits the longest first.
#[derive(Debug)]
pub(super) struct Idle {
    waiting: Mutex<VecDeque<(String, Sandbox)>>,
    most: usize,
}

impl Idle {
    /// At most so many wait; with 0, everyone has sandboxes of their own.
    pub(super) fn at_most(most: usize) -> Self {
        Self { waiting: Mutex::default(), most }
    }

    /// One of this kind, if there is one that can answer: what waits may have been killed or stopped, by whoever could reach it.
    pub(super) fn take(&self, kind: &str) -> Option<Sandbox> {
        while let Some(sandbox) = self.remove(kind) {
            if is_awake(&sandbox.subject()) {
                return Some(sandbox);
            }
        }
        None
    }

    fn remove(&self, kind: &str) -> Option<Sandbox> {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|(other, _)| other == kind)?;
        waiting.remove(place).map(|(_, sandbox)| sandbox)
    }

    /// One that is as it was made waits for others.
    pub(super) fn keep(&self, kind: String, sandbox: Sandbox) {
        let ended = {
            let mut waiting = self.lock();
            waiting.push_back((kind, sandbox));
            if waiting.len() > self.most { waiting.pop_front() } else { None }
        };
        // To end one takes time, in which nobody should have to wait for the others.
        drop(ended);
    }

    /// Ends them all.
    pub(super) fn end(&self) {
        let ended = std::mem::take(&mut *self.lock());
        drop(ended);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Sandbox)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a process is there, and not stopped.
pub(super) fn is_awake(subject: &Subject) -> bool {
    let query = Query { fact: "state".to_owned(), argument: String::new() };
    let state = find(&query.fact).and_then(|fact| (fact.observe)(subject, &query.argument).ok());
    state.is_some_and(|reading| reading.value == "running" || reading.value == "sleeping")
}
