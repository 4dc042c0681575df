//! One claim on one runtime, with its spec at hand.

use std::path::Path;
use std::sync::Arc;

use super::column::Column;
use crate::fact::View;
use crate::sandbox::Runtime;
use crate::spec::{Action, Asked, Claim, Expected, Scenario, Sender, Settings, Spec};

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
    /// The kernel that it is run on; `None` is the host's own.
    pub kernel: Option<Arc<str>>,
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
        let (name, spec) = (String::new(), Arc::clone(spec));
        let mut test = Self { name, spec, scenario, claim, runtime, kernel: None };
        test.name = test.full_name(prefix);
        test
    }

    fn full_name(&self, prefix: &str) -> String {
        format!("{prefix}::{} [{}]", self.sentence(), self.runtime.name())
    }

    /// How many bytes of its name are those of the scenario. A row may have `::` in it, as an address has.
    pub(super) fn scenario_in_name(&self) -> usize {
        let claim = self.sentence().len() - self.scenario_sentence().len();
        self.name.len().saturating_sub(claim + format!(" [{}]", self.column().name).len())
    }

    fn scenario_sentence(&self) -> String {
        let row = &self.scenario().row;
        if row.is_empty() {
            self.scenario().name.clone()
        } else {
            format!("{} ({row})", self.scenario().name)
        }
    }

    /// The scenario and the claim, with their rows: `The first process (profile=default)::sees itself as PID 1`.
    pub fn sentence(&self) -> String {
        let row = |row: &str| if row.is_empty() { String::new() } else { format!(" ({row})") };
        let (scenario, claim) = (self.scenario(), self.claim());
        format!("{}{}::{}{}", scenario.name, row(&scenario.row), claim.name, row(&claim.row))
    }

    /// The runtime with the kernel.
    pub fn column(&self) -> Column {
        Column::new(self.runtime.name(), self.kernel.as_deref())
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

    /// Whether, if it holds, its sandboxes are what they were: an attempt that is refused has changed nothing, and some leave nothing behind
    /// where they succeed.
    pub fn leaves_as_it_was(&self) -> bool {
        let acts = |expected: &Expected| match expected.subject {
            Asked::Attempt(attempt) => {
                !expected.expectation.wants_refusal() && !attempt.leaves.as_it_was(&expected.argument)
            }
            Asked::Fact(_) => false,
        };
        !self.claim().steps.iter().any(|step| changes(step.action.as_ref())) && !self.seen().any(acts)
    }

    /// Whether, if it holds, its sandboxes are as good as new, so that even another scenario may have them. That is more than to be what they
    /// were: a program that has run leaves the next PID behind it (`kernel.ns_last_pid`), and a key that was looked for a keyring (keyrings(7)).
    pub fn leaves_as_new(&self) -> bool {
        let touches = |expected: &Expected| match expected.subject {
            Asked::Attempt(attempt) => {
                !expected.expectation.is_denied() && !attempt.leaves.nothing(&expected.argument)
            }
            Asked::Fact(_) => false,
        };
        !self.does_something() && !self.seen().any(touches)
    }

    /// Whether nothing is done in its sandboxes but by airtight's own agent, which may look or attempt from a process that joins.
    pub fn only_joins(&self) -> bool {
        let mut actions = self.claim().steps.iter().filter_map(|step| step.action.as_ref());
        actions.all(|action| matches!(action, Action::Join { .. }))
    }

    /// The first thing that only a process inside could tell or try, if there is one.
    pub fn needs_to_be_inside(&self) -> Option<String> {
        let steps = self.claim().steps.iter().flat_map(|step| &step.seen);
        let seen = self.claim().given.iter().chain(steps).filter(|seen| matches!(seen.view, View::Inside(_)));
        seen.flat_map(|seen| &seen.facts).find_map(|expected| match expected.subject {
            Asked::Attempt(attempt) => Some(format!("attempts.{}", attempt.name)),
            Asked::Fact(fact) => (!fact.same_outside).then(|| fact.name.to_owned()),
        })
    }

    /// What its expectations ask: each fact and attempt by its name, and where it has an argument, by name and argument besides.
    pub fn asks(&self) -> Vec<String> {
        let ask = |expected: &Expected| {
            let name = match expected.subject {
                Asked::Attempt(attempt) => format!("attempts.{}", attempt.name),
                Asked::Fact(fact) => fact.name.to_owned(),
            };
            let whole = (!expected.argument.is_empty()).then(|| format!("{name} {}", expected.argument));
            [Some(name), whole]
        };
        self.seen().flat_map(ask).flatten().collect()
    }

    /// Whether it has the runtime send a signal.
    pub fn signals_by_runtime(&self) -> bool {
        let by_runtime =
            |action: &Action| matches!(action, Action::Kill(kill) if kill.from == Sender::Runtime);
        self.claim().steps.iter().filter_map(|step| step.action.as_ref()).any(by_runtime)
    }

    /// Whether it asks what its runtime says of the sandbox, which some say only of what has not been removed.
    pub fn asks_runtime(&self) -> bool {
        self.seen().any(|expected| matches!(expected.subject, Asked::Fact(fact) if fact.name == "reports"))
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
            && self.asks_runtime() == other.asks_runtime()
            && self.leaves_as_it_was()
            && other.leaves_as_it_was()
    }

    /// What its sandboxes are made from, in words.
    pub fn made_from(&self) -> String {
        let all = self.settings().into_iter();
        let all: Vec<String> =
            all.map(|(name, settings)| format!("{name}: {}", self.kind(&settings))).collect();
        format!("{} {}", self.runtime.name(), all.join(" "))
    }

    /// What a sandbox of these settings is made from, in words: two of one kind can stand for each other.
    pub fn kind(&self, settings: &Settings) -> String {
        let directory = settings.names_files().then(|| self.directory());
        let kept = if self.asks_runtime() { " kept" } else { "" };
        format!("{settings:?} {directory:?}{kept}")
    }
}

fn changes(action: Option<&Action>) -> bool {
    match action {
        None | Some(Action::HostRun(_)) => false,
        Some(Action::Exec(command)) => !command.pure || command.name.is_some(),
        Some(Action::Run(_) | Action::Kill(_) | Action::Join { .. }) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::by_name;
    use crate::spec::parse;

    fn test(claim: &str) -> Test {
        let text = format!("scenario: One\nsandbox: {{ image: base }}\nclaims:\n  holds: {claim}\n");
        let spec = parse(Path::new("one.yaml"), text).unwrap_or_else(|problems| panic!("{problems}"));
        Test::new(&Arc::new(spec), "one", (0, 0), by_name("native").unwrap())
    }

    #[test]
    fn what_a_claim_leaves_of_its_sandboxes_is_known_before() {
        let check = |claim: &str, as_it_was: bool, as_new: bool, only_joins: bool| {
            let test = test(claim);
            let known = (test.leaves_as_it_was(), test.leaves_as_new(), test.only_joins());
            assert_eq!(known, (as_it_was, as_new, only_joins), "{claim}");
        };
        check("{ inside: { pid: 1 } }", true, true, true);
        check("{ inside: { attempts: { mount: { tmpfs: denied } } } }", true, true, true);
        check("{ inside: { attempts: { mount: { tmpfs: allowed } } } }", false, false, true);
        // What is refused by policy has not begun; what fails otherwise may have come some way.
        check("{ inside: { attempts: { find_key: { session x: { fails: ENOKEY } } } } }", true, false, true);
        check("{ inside: { attempts: { open: { /no: { fails: ENOENT } } } } }", true, true, true);
        check("{ inside: { attempts: { open: { /etc: allowed } } } }", true, true, true);
        check(
            "{ given: { inside: { attempts: { listen: { abstract x: allowed } } } }, inside: { pid: 1 } }",
            false,
            false,
            true,
        );
        check("{ inside: { attempts: { experiment: { first_child: allowed } } } }", true, false, true);
        check("{ exec: [\"true\"], pure: true }", true, false, false);
        check("{ exec: [\"true\"] }", false, false, false);
        check("{ run: [\"true\"] }", false, false, false);
        check("{ steps: [{ join: other }, { other: { ppid: 0 } }] }", false, false, true);
        check("{ host.run: [\"true\"], inside: { pid: 1 } }", true, false, false);
        check(
            "{ steps: [{ kill: { process: first, from: host, signal: SIGTERM } }, { outside: { alive: true } }] }",
            false,
            false,
            false,
        );
    }

    /// A sandbox that its runtime is asked about has been kept for it, and others have not.
    #[test]
    fn a_sandbox_that_is_kept_is_of_another_kind() {
        let [looks, other, asks, given] = [
            "{ inside: { pid: 1 } }",
            "{ inside: { uid: 0 } }",
            "{ outside: { reports: { nursery: { pid_agrees: true } } } }",
            "{ given: { outside: { reports: { nursery: { status: running } } } }, inside: { pid: 1 } }",
        ]
        .map(test);
        let settings = &looks.settings()[0].1;
        let alike =
            |one: &Test, other: &Test| (one.shares_with(other), one.kind(settings) == other.kind(settings));
        assert_eq!([&looks, &other, &asks, &given].map(Test::asks_runtime), [false, false, true, true]);
        assert_eq!(alike(&looks, &other), (true, true));
        assert_eq!(alike(&looks, &asks), (false, false));
        assert_eq!(alike(&asks, &given), (true, true));
    }
}
