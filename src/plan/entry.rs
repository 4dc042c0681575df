//! The tests of a run, as little of each as a plan needs.

use std::path::PathBuf;
use std::sync::Arc;

use super::file::SpecFile;
use super::needs::{self, INSIDE, Skip};
use super::select::{Choice, choose};
use super::test::Test;
use crate::sandbox::{self, Runtime};
use crate::spec::{Claim, Scenario, Spec};

/// How many specs a plan keeps in memory; others are read again when it is their turn. A spec of one claim takes some 7 KiB, and as much
/// time to read as a tenth of what its sandbox takes of the runner.
const KEPT: usize = 256;

/// What a run consists of.
#[derive(Debug, Default)]
pub struct Plan {
    /// All tests, in the order of the specs.
    pub entries: Vec<Entry>,
    choice: Choice,
    files: usize,
    groups: usize,
}

/// One test of a plan.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Why it is not run, if it is not.
    pub skip: Option<Skip>,
    /// Tests with the same number share their sandboxes.
    pub group: usize,
    file: Arc<SpecFile>,
    place: (usize, usize),
    runtime: &'static dyn Runtime,
}

/// Tests that share their sandboxes, by their places in the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The tests, in order. Never empty.
    pub entries: Vec<usize>,
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

impl Entry {
    /// What makes its sandboxes.
    pub fn runtime(&self) -> &'static dyn Runtime {
        self.runtime
    }

    /// Its name without the runtime: the same for one claim on each of them.
    pub fn claim(&self) -> &str {
        self.name.strip_suffix(&format!(" [{}]", self.runtime.name())).unwrap_or(&self.name)
    }

    /// The test with its spec, or why that cannot be read any more.
    pub fn open(&self) -> Result<Test, String> {
        let spec = self.file.spec()?;
        let (scenario, claim) = self.place;
        let there = spec.scenarios.get(scenario).is_some_and(|scenario| scenario.claims.len() > claim);
        if !there {
            return Err(format!("{} was changed while it was being run", self.file.path().display()));
        }
        Ok(Test { name: self.name.clone(), spec, scenario, claim, runtime: self.runtime })
    }
}

impl Plan {
    /// An empty plan, for the tests of this choice.
    pub fn new(choice: Choice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// Adds the tests of one spec that are chosen. `prefix` is what their names begin with.
    pub fn add(&mut self, spec: &Arc<Spec>, prefix: &str) -> Result<(), PlanError> {
        self.add_file(spec, prefix, self.files < KEPT)
    }

    /// Adds the tests of a spec that stands so in no file, and is kept in memory, on this runtime.
    pub fn add_on(&mut self, spec: &Arc<Spec>, runtime: &'static dyn Runtime) -> Result<(), PlanError> {
        self.choice.runtimes = vec![runtime];
        self.add_file(spec, "", true)
    }

    fn add_file(&mut self, spec: &Arc<Spec>, prefix: &str, keep: bool) -> Result<(), PlanError> {
        let file = Arc::new(SpecFile::new(spec, keep));
        let tests = self.tests(spec, prefix)?;
        self.files += 1;
        // The first test of each group.
        let mut groups: Vec<(usize, &Test)> = Vec::new();
        for test in &tests {
            let shared = groups.iter().find(|(_, first)| test.shares_with(first)).map(|(group, _)| *group);
            let group = shared.unwrap_or_else(|| {
                self.groups += 1;
                groups.push((self.groups, test));
                self.groups
            });
            self.entries.push(self.entry(test, group, &file));
        }
        Ok(())
    }

    fn entry(&self, test: &Test, group: usize, file: &Arc<SpecFile>) -> Entry {
        Entry {
            name: test.name.clone(),
            skip: skip(test).or_else(|| self.risk(test)).or_else(|| watching(test)),
            group,
            file: Arc::clone(file),
            place: (test.scenario, test.claim),
            runtime: test.runtime,
        }
    }

    fn tests(&self, spec: &Arc<Spec>, prefix: &str) -> Result<Vec<Test>, PlanError> {
        let mut tests = Vec::new();
        for (place, scenario) in spec.scenarios.iter().enumerate() {
            for (number, claim) in scenario.claims.iter().enumerate() {
                let runtimes = runtimes_of(spec, scenario, claim, &self.choice.runtimes)?;
                tests.extend(
                    runtimes.into_iter().map(|runtime| Test::new(spec, prefix, (place, number), runtime)),
                );
            }
        }
        tests.retain(|test| choose(test, &self.choice));
        Ok(tests)
    }

    /// Leaves out the claims of runtimes whose sandboxes airtight cannot break: nothing would be proven of them.
    pub fn leave_out_unbreakable(&mut self) {
        for entry in
            self.entries.iter_mut().filter(|entry| entry.skip.is_none() && !entry.runtime.is_breakable())
        {
            let name = entry.runtime.name();
            let reason = format!("a sandbox of {name} is not airtight's to break");
            entry.skip = Some(Skip { need: format!("runtime {name}"), reason });
        }
    }

    /// Says if two tests have the same name.
    pub fn check_names(&self) -> Result<(), PlanError> {
        let mut names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        twice.map_or(Ok(()), |pair| Err(PlanError::SameName(pair[0].to_owned())))
    }

    /// The tests that are run, by the sandboxes that they share, in the order of the first of each.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: indexmap::IndexMap<usize, Group> = indexmap::IndexMap::new();
        for (place, entry) in self.entries.iter().enumerate().filter(|(_, entry)| entry.skip.is_none()) {
            groups.entry(entry.group).or_default().entries.push(place);
        }
        groups.into_values().collect()
    }

    /// The tests that are run, each by itself.
    pub fn apart(&self) -> Vec<Group> {
        let run = self.entries.iter().enumerate().filter(|(_, entry)| entry.skip.is_none());
        run.map(|(place, _)| Group { entries: vec![place] }).collect()
    }

    /// What acts on a sandbox that is none acts on the host: `kill -9 1` there ends the machine.
    fn risk(&self, test: &Test) -> Option<Skip> {
        let risky = !test.only_observes() && !test.runtime.isolates() && !self.choice.allow_risky;
        let reason = || {
            format!("on {} this would be done to the host itself; --allow-risky does it", test.runtime.name())
        };
        risky.then(|| Skip { need: "risk".to_owned(), reason: reason() })
    }
}

/// What runs already is only looked at, and from outside.
fn watching(test: &Test) -> Option<Skip> {
    let skip = |reason: String| Some(Skip { need: INSIDE.to_owned(), reason });
    if !test.runtime.is_attached() {
        None
    } else if !test.only_observes() {
        skip("it does something, and what runs already is only looked at".to_owned())
    } else if test.scenario().sandboxes.len() > 1 {
        skip("it speaks of several sandboxes".to_owned())
    } else {
        let inside = test.needs_to_be_inside();
        inside.and_then(|fact| {
            skip(format!("`{fact}` is told only by a process inside, and none is put there"))
        })
    }
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
    let is_named = |one: &&&'static dyn Runtime| named.iter().any(|other| other.name() == one.name());
    Ok(match (asked, named.is_empty()) {
        ([], true) => sandbox::by_name("native").into_iter().collect(),
        ([], false) => named,
        (_, true) => asked.to_vec(),
        (_, false) => asked.iter().filter(is_named).copied().collect(),
    })
}

/// The first thing that keeps a test from being run, measured.
fn skip(test: &Test) -> Option<Skip> {
    let mut needs = test.scenario().about.needs.iter().chain(&test.claim().about.needs);
    needs.find_map(|need| needs::unmet(need, test.runtime)).or_else(|| {
        test.settings().iter().find_map(|(_, settings)| {
            let cannot = test.runtime.check(settings).err()?;
            Some(Skip { need: format!("runtime {}", test.runtime.name()), reason: cannot.reason })
        })
    })
}
