//! VMs that have judged a scenario and wait for the next, where scenarios share them.

use std::sync::{Mutex, PoisonError};

use crate::vm::machine::Machine;

/// A VM, and from where on what its kernel says belongs to the scenario that has it now.
#[derive(Debug)]
pub(super) struct Manned {
    pub(super) machine: Machine,
    /// How much the kernel had said.
    pub(super) mark: usize,
}

impl Manned {
    /// All that it says from now on.
    pub(super) fn new(machine: Machine) -> Self {
        let mark = machine.console().len();
        Self { machine, mark }
    }
}

/// Those that nobody uses just now.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Manned>>);

impl Pool {
    /// One of them.
    pub(super) fn take(&self) -> Option<Manned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Leaves one to whoever comes next. What its kernel says meanwhile is theirs: it belongs to one scenario, and none is told after the fact.
    pub(super) fn put(&self, manned: Manned) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(manned);
    }
}
