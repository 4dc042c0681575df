//! The tests of a run, as little of each as a plan needs.

use std::path::PathBuf;
use std::sync::Arc;

use super::column::{self, Column};
use super::file::SpecFile;
use super::needs::{self, INSIDE, Skip};
use super::partition::Parts;
use super::select::{Choice, choose};
use super::test::Test;
use crate::sandbox::{self, Runtime};
use crate::spec::{Claim, RuntimeName, Scenario, Spec};

/// How many specs a plan keeps in memory; others are read again when it is their turn. A spec of one claim takes some 7 KiB, and as much
/// time to read as a tenth of what its sandbox takes of the runner.
const KEPT: usize = 256;

/// What a run consists of.
#[derive(Debug, Default)]
pub struct Plan {
    /// All tests, in the order of the specs.
    pub entries: Vec<Entry>,
    /// Which part of the whole it is, if it is one.
    pub parts: Option<Parts>,
    choice: Choice,
    files: usize,
    /// How many claims there are, each on one or several columns.
    claims: usize,
    groups: usize,
}

/// One test of a plan.
#[derive(Debug, Clone)]
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
    /// The kernel that it is run on; `None` is the host's own.
    kernel: Option<Arc<str>>,
    /// The number of its claim in the whole plan, from 0.
    number: usize,
    /// How many bytes of its name are those of the scenario.
    scenario: usize,
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

    /// The name of the kernel that it is run on; `None` is the host's own.
    pub fn kernel(&self) -> Option<&str> {
        self.kernel.as_deref()
    }

    /// The runtime with the kernel.
    pub fn column(&self) -> Column {
        Column::new(self.runtime.name(), self.kernel())
    }

    /// Its name without the runtime and the kernel: the same for one claim on each of them.
    pub fn claim(&self) -> &str {
        self.name.strip_suffix(&self.suffix()).unwrap_or(&self.name)
    }

    /// The spec and the scenario of its name: `pid/first-process::The first process`.
    pub fn scenario(&self) -> &str {
        self.name.get(..self.scenario).unwrap_or(&self.name)
    }

    /// What the names of its spec's tests begin with.
    pub fn prefix(&self) -> &str {
        self.scenario().split("::").next().unwrap_or_default()
    }

    /// The number of its claim in the whole plan, from 0, whatever is left out of it; the same in every column.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The same test on this kernel, which its name then says. Who makes it gives it a group of its own.
    #[must_use]
    pub fn on_kernel(&self, kernel: &Arc<str>) -> Self {
        let mut moved = Self { kernel: Some(Arc::clone(kernel)), ..self.clone() };
        moved.name = format!("{}{}", self.claim(), moved.suffix());
        moved
    }

    fn suffix(&self) -> String {
        format!(" [{}]", column::name(self.runtime.name(), self.kernel()))
    }

    /// The test with its spec, or why that cannot be read any more.
    pub fn open(&self) -> Result<Test, String> {
        let spec = self.file.spec()?;
        let (scenario, claim) = self.place;
        let there = spec.scenarios.get(scenario).is_some_and(|scenario| scenario.claims.len() > claim);
        if !there {
            return Err(format!("{} was changed while it was being run", self.file.path().display()));
        }
        let (name, kernel) = (self.name.clone(), self.kernel.clone());
        Ok(Test { name, spec, scenario, claim, runtime: self.runtime, kernel })
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
        let mut last = None;
        for test in &tests {
            let shared = groups.iter().find(|(_, first)| test.shares_with(first)).map(|(group, _)| *group);
            let group = shared.unwrap_or_else(|| {
                self.groups += 1;
                groups.push((self.groups, test));
                self.groups
            });
            // A claim has one number, on however many runtimes it is.
            let claim = Some((test.scenario, test.claim));
            self.claims += usize::from(std::mem::replace(&mut last, claim) != claim);
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
            kernel: None,
            number: self.claims - 1,
            scenario: test.scenario_in_name(),
        }
    }

    fn tests(&self, spec: &Arc<Spec>, prefix: &str) -> Result<Vec<Test>, PlanError> {
        let mut tests = Vec::new();
        for (place, scenario) in spec.scenarios.iter().enumerate() {
            for (number, claim) in scenario.claims.iter().enumerate() {
                let runtimes = runtimes_of(scenario, claim, &self.choice.runtimes)?;
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

    /// Has every test run on each of these kernels; `None` is the host's own. What another kernel needs is measured there.
    pub fn on_kernels(&mut self, kernels: &[Option<Arc<str>>]) {
        let groups = self.groups;
        let entries = std::mem::take(&mut self.entries);
        for entry in entries {
            for (place, kernel) in kernels.iter().enumerate() {
                let group = entry.group + place * groups;
                let moved = kernel
                    .as_ref()
                    .map_or_else(|| entry.clone(), |kernel| Entry { skip: None, ..entry.on_kernel(kernel) });
                self.entries.push(Entry { group, ..moved });
            }
        }
        self.groups = groups * kernels.len();
    }

    /// Says if two tests have the same name.
    pub fn check_names(&self) -> Result<(), PlanError> {
        let mut names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        twice.map_or(Ok(()), |pair| Err(PlanError::SameName(pair[0].to_owned())))
    }

    /// The tests that are run here, by the sandboxes that they share, in the order of the first of each.
    pub fn groups(&self) -> Vec<Group> {
        together(self.here(), |entry| entry.group)
    }

    /// The tests that are run here, each by itself.
    pub fn apart(&self) -> Vec<Group> {
        self.here().map(|(place, _)| Group { entries: vec![place] }).collect()
    }

    /// The tests that are run on other kernels: those of one scenario on one runtime and one kernel together.
    pub fn elsewhere(&self) -> Vec<Group> {
        let run = self.entries.iter().enumerate();
        let run = run.filter(|(_, entry)| entry.skip.is_none() && entry.kernel.is_some());
        together(run, |entry| (entry.scenario().to_owned(), entry.column().name))
    }

    fn here(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let run = self.entries.iter().enumerate();
        run.filter(|(_, entry)| entry.skip.is_none() && entry.kernel.is_none())
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

/// By what their keys have in common, in the order of the first of each.
fn together<'a, K: std::hash::Hash + Eq>(
    entries: impl Iterator<Item = (usize, &'a Entry)>,
    key: impl Fn(&Entry) -> K,
) -> Vec<Group> {
    let mut groups: indexmap::IndexMap<K, Group> = indexmap::IndexMap::new();
    for (place, entry) in entries {
        groups.entry(key(entry)).or_default().entries.push(place);
    }
    groups.into_values().collect()
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
    scenario: &Scenario,
    claim: &Claim,
    asked: &[&'static dyn Runtime],
) -> Result<Vec<&'static dyn Runtime>, PlanError> {
    let named =
        if claim.about.runtimes.is_empty() { &scenario.about.runtimes } else { &claim.about.runtimes };
    let find = |RuntimeName { name, at, source }: &RuntimeName| {
        sandbox::by_name(name).ok_or_else(|| PlanError::UnknownRuntime {
            path: source.path.clone(),
            line: at.line,
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
        let name = test.runtime.name();
        let mut settings = test.settings().into_iter();
        let cannot = settings.find_map(|(_, settings)| test.runtime.check(&settings).err());
        let mute = test.signals_by_runtime() && !test.runtime.sends_signals();
        let mute = mute.then(|| format!("{name} has no command that sends signals"));
        let reason = cannot.map(|cannot| cannot.reason).or(mute)?;
        Some(Skip { need: format!("runtime {name}"), reason })
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_name_says_on_which_kernel() {
        let text = "scenario: One\nsandbox: { image: base }\nclaims:\n  holds: { inside: { pid: 1 } }\n";
        let spec = crate::spec::parse(Path::new("one.yaml"), text.to_owned()).unwrap();
        let mut plan = Plan::default();
        plan.add(&Arc::new(spec), "one").unwrap();
        let entry = &plan.entries[0];
        let check = |entry: &Entry, name: &str, column: &Column| {
            assert_eq!((entry.name.as_str(), entry.claim()), (name, "one::One::holds"));
            assert_eq!(entry.column(), *column);
            assert_eq!(entry.open().unwrap().column(), *column);
        };
        check(entry, "one::One::holds [native]", &Column::new("native", None));
        let moved = entry.on_kernel(&Arc::from("6.12.117"));
        let column = Column::new("native", Some("6.12.117"));
        assert_eq!(column.name, "native on 6.12.117");
        check(&moved, "one::One::holds [native on 6.12.117]", &column);
        let again = moved.on_kernel(&Arc::from("5.10 [rt]"));
        check(&again, "one::One::holds [native on 5.10 [rt]]", &Column::new("native", Some("5.10 [rt]")));
    }
}
