//! The tests of a run: one for each claim, row and runtime.

use std::path::PathBuf;
use std::sync::Arc;

use super::needs;
use crate::sandbox::{self, Runtime};
use crate::spec::{Action, Asked, Claim, Scenario, Seen, Settings, Spec};

pub use super::needs::Skip;

/// What a run consists of.
#[derive(Debug, Default)]
pub struct Plan {
    /// All tests, in the order of the specs.
    pub tests: Vec<Test>,
    /// Whether claims that act may do so where nothing isolates the host from it.
    pub allow_risky: bool,
}

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
    /// Why it is not run, if it is not.
    pub skip: Option<Skip>,
}

impl std::fmt::Debug for Test {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Test")
            .field("name", &self.name)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

/// Tests that share their sandboxes, by their places in the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The tests, in order.
    pub tests: Vec<usize>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A spec restricts itself to a runtime that is none.
    #[error("{path}:{line}: unknown runtime `{name}`; there are {known}")]
    UnknownRuntime {
        /// The spec.
        path: PathBuf,
        /// The line of its scenario or claim.
        line: usize,
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Two claims have the same test name.
    #[error("two claims have the same name: {0}")]
    SameName(String),
}

impl Test {
    /// Its scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.spec.scenarios[self.scenario]
    }

    /// Its claim.
    pub fn claim(&self) -> &Claim {
        &self.scenario().claims[self.claim]
    }

    /// The settings of its sandboxes by name, with what the claim adds to the first.
    pub fn settings(&self) -> Vec<(String, Settings)> {
        let with = |(place, (name, settings)): (usize, (&String, &Settings))| {
            let added = self.claim().with.as_ref().filter(|_| place == 0);
            (name.clone(), added.map_or_else(|| settings.clone(), |added| settings.with(added)))
        };
        self.scenario().sandboxes.iter().enumerate().map(with).collect()
    }
}

impl Plan {
    /// The tests of one spec. `prefix` is what its tests' names begin with; `runtimes` are those that were asked for, none
    /// meaning each claim's own choice.
    pub fn add(
        &mut self,
        spec: &Arc<Spec>,
        prefix: &str,
        runtimes: &[&'static dyn Runtime],
    ) -> Result<(), PlanError> {
        for (place, scenario) in spec.scenarios.iter().enumerate() {
            for (number, claim) in scenario.claims.iter().enumerate() {
                for runtime in runtimes_of(spec, scenario, claim, runtimes)? {
                    let name = name(prefix, scenario, claim, runtime);
                    let spec = Arc::clone(spec);
                    let mut test = Test { name, spec, scenario: place, claim: number, runtime, skip: None };
                    test.skip = skip(&test).or_else(|| self.risk(&test));
                    self.tests.push(test);
                }
            }
        }
        Ok(())
    }

    /// Says if two tests have the same name.
    pub fn check_names(&self) -> Result<(), PlanError> {
        let mut names: Vec<&str> = self.tests.iter().map(|test| test.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        twice.map_or(Ok(()), |pair| Err(PlanError::SameName(pair[0].to_owned())))
    }

    /// The tests that are run, by the sandboxes that they share: claims that only observe share those of their scenario
    /// and runtime; every other claim has its own.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut open: Option<usize> = None;
        for (place, test) in self.tests.iter().enumerate().filter(|(_, test)| test.skip.is_none()) {
            let fits = |group: &&usize| self.shares(groups[**group].tests[0], place);
            match open.as_ref().filter(|_| only_observes(test.claim())).filter(fits) {
                Some(group) => groups[*group].tests.push(place),
                None => {
                    groups.push(Group { tests: vec![place] });
                    if only_observes(test.claim()) {
                        open = Some(groups.len() - 1);
                    }
                }
            }
        }
        groups
    }

    /// What acts on a sandbox that is none acts on the host: `kill -9 1` there ends the machine.
    fn risk(&self, test: &Test) -> Option<Skip> {
        let acts = !only_observes(test.claim());
        let risky = acts && !test.runtime.isolates() && !self.allow_risky;
        let reason = || format!("on {} this would be done to the host itself; --allow-risky does it", test.runtime.name());
        risky.then(|| Skip { need: "risk".to_owned(), reason: reason() })
    }

    fn shares(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.tests[one], &self.tests[other]);
        Arc::ptr_eq(&one.spec, &other.spec)
            && one.scenario == other.scenario
            && one.runtime.name() == other.runtime.name()
            && one.claim().with == other.claim().with
    }
}

fn name(prefix: &str, scenario: &Scenario, claim: &Claim, runtime: &dyn Runtime) -> String {
    let row = |row: &str| if row.is_empty() { String::new() } else { format!(" ({row})") };
    let (scenario_row, claim_row) = (row(&scenario.row), row(&claim.row));
    format!("{prefix}::{}{scenario_row}::{}{claim_row} [{}]", scenario.name, claim.name, runtime.name())
}

/// The built-in runtime, or those that the claim names; with a choice on the command line, what both agree on.
fn runtimes_of(
    spec: &Spec,
    scenario: &Scenario,
    claim: &Claim,
    asked: &[&'static dyn Runtime],
) -> Result<Vec<&'static dyn Runtime>, PlanError> {
    let named =
        if claim.about.runtimes.is_empty() { &scenario.about.runtimes } else { &claim.about.runtimes };
    let find = |name: &String| {
        sandbox::by_name(name).ok_or_else(|| PlanError::UnknownRuntime {
            path: spec.path.clone(),
            line: claim.at.line,
            name: name.clone(),
            known: sandbox::names().join(", "),
        })
    };
    let named: Vec<&'static dyn Runtime> = named.iter().map(find).collect::<Result<_, _>>()?;
    Ok(match (asked, named.is_empty()) {
        ([], true) => sandbox::by_name("native").into_iter().collect(),
        ([], false) => named,
        (_, true) => asked.to_vec(),
        (_, false) => {
            asked.iter().filter(|one| named.iter().any(|other| other.name() == one.name())).copied().collect()
        }
    })
}

/// The first thing that keeps a test from being run, measured.
fn skip(test: &Test) -> Option<Skip> {
    let needs = test.scenario().about.needs.iter().chain(&test.claim().about.needs);
    needs.clone().find_map(|need| needs::unmet(need, test.runtime)).or_else(|| {
        test.settings().iter().find_map(|(_, settings)| {
            let cannot = test.runtime.check(settings).err()?;
            Some(Skip { need: format!("runtime {}", test.runtime.name()), reason: cannot.reason })
        })
    })
}

/// Whether a claim leaves its sandbox as it was.
fn only_observes(claim: &Claim) -> bool {
    let steps = claim.steps.iter();
    steps.clone().all(|step| !changes(step.action.as_ref()) && !attempts(&step.seen))
        && !attempts(&claim.given)
}

fn changes(action: Option<&Action>) -> bool {
    match action {
        None | Some(Action::HostRun(_)) => false,
        Some(Action::Exec(command)) => !command.pure || command.name.is_some(),
        Some(Action::Run(_) | Action::Kill(_) | Action::Join { .. }) => true,
    }
}

fn attempts(seen: &[Seen]) -> bool {
    seen.iter().flat_map(|seen| &seen.facts).any(|expected| matches!(expected.subject, Asked::Attempt(_)))
}
