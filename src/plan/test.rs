//! One claim on one runtime, with its spec at hand.

use std::path::Path;
use std::sync::Arc;

use crate::sandbox::Runtime;
use crate::spec::{Action, Asked, Claim, Expected, Scenario, Settings, Spec};

/// One claim on one runtime.
pub struct Test {
    /// Its name: `pid/first-process::The first process::sees itself as PID 1 [native]`.
    pub name: String,
    /// The spec it comes from.
    pub spec: Arc<Spec>,
    /// The scenario's place in the spec.
    pub scenario: usize,
    /// The claim's place in the scenario.
    pub claim: usize,
    /// What makes its sandboxes.
    pub runtime: &'static dyn Runtime,
}

impl std::fmt::Debug for Test {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Test").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Test {
    /// The claim at this place of a spec; `prefix` is what the names of the spec's tests begin with.
    pub(super) fn new(
        spec: &Arc<Spec>,
        prefix: &str,
        place: (usize, usize),
        runtime: &'static dyn Runtime,
    ) -> Self {
        let (scenario, claim) = place;
        let mut test = Self { name: String::new(), spec: Arc::clone(spec), scenario, claim, runtime };
        test.name = test.full_name(prefix);
        test
    }

    fn full_name(&self, prefix: &str) -> String {
        let row = |row: &str| if row.is_empty() { String::new() } else { format!(" ({row})") };
        let (scenario, claim) = (self.scenario(), self.claim());
        let (scenario_row, claim_row) = (row(&scenario.row), row(&claim.row));
        let runtime = self.runtime.name();
        format!("{prefix}::{}{scenario_row}::{}{claim_row} [{runtime}]", scenario.name, claim.name)
    }

    /// Its scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.spec.scenarios[self.scenario]
    }

    /// Its claim.
    pub fn claim(&self) -> &Claim {
        &self.scenario().claims[self.claim]
    }

    /// What paths in its settings are relative to.
    pub fn directory(&self) -> &Path {
        self.spec.path.parent().unwrap_or(Path::new("."))
    }

    /// The settings of its sandboxes by name, with what the claim adds to the first.
    pub fn settings(&self) -> Vec<(String, Settings)> {
        let with = |(place, (name, settings)): (usize, (&String, &Settings))| {
            let added = self.claim().with.as_ref().filter(|_| place == 0);
            (name.clone(), added.map_or_else(|| settings.clone(), |added| settings.with(added)))
        };
        self.scenario().sandboxes.iter().enumerate().map(with).collect()
    }

    /// Whether it does nothing to its sandboxes but look, so that it can be judged where there is none.
    pub fn only_observes(&self) -> bool {
        self.leaves_as_it_was() && !self.seen().any(|expected| matches!(expected.subject, Asked::Attempt(_)))
    }

    /// Whether it starts processes, or sends signals: that takes time.
    pub fn does_something(&self) -> bool {
        self.claim().steps.iter().any(|step| step.action.is_some())
    }

    /// Whether, if it holds, its sandboxes are what they were: an attempt that is refused has changed nothing.
    pub fn leaves_as_it_was(&self) -> bool {
        let acts = |expected: &Expected| {
            matches!(expected.subject, Asked::Attempt(_)) && !expected.expectation.wants_refusal()
        };
        !self.claim().steps.iter().any(|step| changes(step.action.as_ref())) && !self.seen().any(acts)
    }

    fn seen(&self) -> impl Iterator<Item = &Expected> {
        let steps = self.claim().steps.iter().flat_map(|step| &step.seen);
        self.claim().given.iter().chain(steps).flat_map(|seen| &seen.facts)
    }

    /// Whether it can be judged on the sandboxes of another: both leave them as they were, and want the same.
    pub(super) fn shares_with(&self, other: &Self) -> bool {
        self.scenario == other.scenario
            && self.runtime.name() == other.runtime.name()
            && self.claim().with == other.claim().with
            && self.leaves_as_it_was()
            && other.leaves_as_it_was()
    }

    /// What its sandboxes are made from, in words.
    pub fn made_from(&self) -> String {
        let directory = self.settings().iter().any(|(_, settings)| settings.names_files());
        let directory = directory.then(|| self.directory());
        format!("{} {:?} {directory:?}", self.runtime.name(), self.settings())
    }
}

fn changes(action: Option<&Action>) -> bool {
    match action {
        None | Some(Action::HostRun(_)) => false,
        Some(Action::Exec(command)) => !command.pure || command.name.is_some(),
        Some(Action::Run(_) | Action::Kill(_) | Action::Join { .. }) => true,
    }
}
