//! Judging the tests in the broken sandboxes, round after round.
//!
//! A test is judged until a breakage has turned it red, unless the whole matrix is wanted, and besides under the breakages that nothing else
//! has caught. One that only looks begins with those that are likely.
//!
//! Tests that act share their sandboxes, too: where one passes after another, the breakage did not show to it. Any other end may be the
//! other's doing, and so the test is then judged again with sandboxes of its own. That nothing turns a claim red, or no claim a
//! breakage, is a complaint, and checked in the same way. So no catch and no complaint rests on what another test did.

mod standing;

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::{Engine, Making, Outcome, Trial};
use crate::plan::{Group, Plan};
use crate::prove::company::Company;
use crate::prove::findings::{Findings, Tried};
use crate::prove::hunch::{Questions, Words};
use crate::prove::names::HostNames;
use crate::prove::proof::{Progress, said};
use crate::prove::ways::{Sound, Way, withheld};
use crate::sandbox::NurseryError;

/// How the sandboxes of all trials are made. The time is the longest that a claim may take in a broken sandbox.
const TRIED: Making<'static> =
    Making { runtime: None, breakage: None, longest: Some(Duration::from_secs(10)), terse: true };

/// Under how many breakages a test is judged at first, before those are left out that turned red; then under twice as many.
const LIKELY: usize = 4;

/// On how many tests, one time after another, a breakage is tried that nothing has caught: a few that name it, then all.
const FEW: [usize; 2] = [4, 16];
const ALL: [usize; 3] = [64, 512, usize::MAX];

/// Under how many at least.
const ENOUGH: usize = LIKELY + 2 * LIKELY + 4 * LIKELY;

/// A way's place, and a test's.
type Cell = (usize, usize);

/// What the rounds work with.
pub(super) struct Rounds<'a> {
    engine: &'a Engine,
    plan: &'a Plan,
    ways: &'a [Way],
    /// Those that each way can be tried on.
    tests_of: Vec<BTreeSet<usize>>,
    company: Company,
    questions: Questions,
    words: Words,
    names: HostNames,
    told: Mutex<Told<'a>>,
}

/// What was found so far, and who is told how far it has come.
struct Told<'a> {
    findings: &'a mut Findings,
    progress: &'a mut dyn Progress,
    done: usize,
    of: usize,
}

impl<'a> Rounds<'a> {
    /// With the company that tests keep in sound sandboxes, which is tried, and the host's names from before anything was.
    pub(super) fn new(
        engine: &'a Engine,
        (plan, tests): (&'a Plan, &[Sound]),
        ways: &'a [Way],
        names: HostNames,
        findings: &'a mut Findings,
        progress: &'a mut dyn Progress,
    ) -> Self {
        findings.breakages = ways.iter().map(tried).collect();
        let mut company = Company::of(tests);
        if findings.extent.is_whole() {
            for (test, name) in withheld(tests) {
                findings.claims[test].withheld = Some(name);
            }
            try_company(engine, plan, tests, &mut company);
        }
        let told = Mutex::new(Told { findings, progress, done: 0, of: 0 });
        let (questions, words) =
            (Questions::of(tests), Words::of(tests, ways.iter().map(|way| way.name.as_str())));
        let tests_of = ways.iter().map(tests_of).collect();
        Self { engine, plan, ways, tests_of, company, questions, words, names, told }
    }

    /// Runs them all.
    pub(super) fn run(&self) {
        self.side_by_side(&|jobs| self.act_until_red(jobs), &|jobs| self.look(jobs));
        let look_at_missed = |jobs, at_once: &[usize]| {
            self.until_none_missed(false, at_once, &|now| self.judge_apart(jobs, now));
        };
        let act_on_missed = |jobs| {
            self.until_none_missed(true, &ALL, &|now| self.act(jobs, &|cell| now.contains(&cell)));
        };
        look_at_missed(self.engine.jobs(), &FEW);
        self.side_by_side(&act_on_missed, &|jobs| look_at_missed(jobs, &ALL));
        self.judge_apart(self.engine.jobs(), &self.complaints());
        self.told().findings.claims.iter_mut().for_each(|claim| claim.tried.sort_unstable());
    }

    /// What does something mostly waits; what looks makes use of the time. Each is told how many sandboxes it may have at once.
    fn side_by_side(&self, act: &dyn Fn(usize), look: &(dyn Fn(usize) + Sync)) {
        let half = (self.engine.jobs() / 2).max(1);
        std::thread::scope(|scope| {
            let beside = || look(half);
            let spawned =
                (self.engine.jobs() > 1).then(|| std::thread::Builder::new().spawn_scoped(scope, beside));
            act(half);
            if !matches!(spawned, Some(Ok(_))) {
                beside();
            }
        });
    }

    /// Judges what only looks, and everything where nothing is left of a sandbox.
    fn look(&self, jobs: usize) {
        let looks = |test: usize| !self.company.does_something(test);
        let all = |(way, test)| !self.is_one_off(way) || self.wants_all() && looks(test);
        self.round(jobs, &self.apart(&all), false);
        let looking: Vec<usize> = self.places().into_iter().filter(|test| looks(*test)).collect();
        if !self.wants_all() {
            self.until_red(self.company.apart(&looking), &|now| self.judge_apart(jobs, now));
        }
    }

    /// Judges what does something.
    fn act_until_red(&self, jobs: usize) {
        if self.wants_all() {
            return self.act(jobs, &|(way, _)| self.is_one_off(way));
        }
        let acting: Vec<usize> =
            self.places().into_iter().filter(|test| self.company.does_something(*test)).collect();
        self.until_red(self.company.together(&acting), &|now| self.act(jobs, &|cell| now.contains(&cell)));
    }

    /// Judges those of each group under more and more breakages, the likely ones first, until all of them are red. One that is red where there
    /// is no sandbox is not vacuous, and the likely ones are enough for it.
    fn until_red(&self, groups: Vec<Group>, judge: &dyn Fn(&HashSet<Cell>)) {
        let all = |group: Group| {
            let ways = self.ways_of(&group);
            (group, ways)
        };
        let mut rest: Vec<(Group, Vec<usize>)> = groups.into_iter().map(all).collect();
        let (mut at_once, mut tried) = (LIKELY, 0);
        loop {
            let mut open = self.open();
            if tried >= ENOUGH {
                open.retain(|test| !self.fails_without(*test));
            }
            let is_open = |test: &usize| open.contains(test);
            rest.retain(|(group, ways)| !ways.is_empty() && group.entries.iter().any(is_open));
            if rest.is_empty() {
                return;
            }
            let now = self.likely(&mut rest, at_once, &is_open);
            judge(&now);
            tried += at_once;
            at_once *= 2;
        }
    }

    /// Takes of each group's ways those that are likeliest to turn red what is open: half of them since they did that to others, half for their names.
    fn likely(
        &self,
        rest: &mut [(Group, Vec<usize>)],
        at_once: usize,
        is_open: &dyn Fn(&usize) -> bool,
    ) -> HashSet<Cell> {
        let told = self.told();
        let hunches = self.questions.hunches(&told.findings.claims);
        drop(told);
        let mut likely = HashSet::new();
        for (group, ways) in rest {
            let wanted: Vec<usize> = group.entries.iter().copied().filter(is_open).collect();
            let mut take = |ways: &mut Vec<usize>| {
                for way in ways.drain(..(at_once / 2).min(ways.len())) {
                    likely.extend(wanted.iter().map(|test| (way, *test)));
                }
            };
            hunches.sort(ways, &wanted);
            take(ways);
            self.words.sort_ways(ways, &wanted);
            take(ways);
        }
        likely
    }

    /// Judges those that do something, or those that only look, under the breakages that nothing has caught: more and more of them, those first whose
    /// words are the breakage's.
    fn until_none_missed(&self, doing: bool, at_once: &[usize], judge: &dyn Fn(&HashSet<Cell>)) {
        for at_once in at_once {
            let (missed, tried) = (self.missed(), self.tried_cells());
            let mut now = HashSet::new();
            for way in missed {
                let untried = self.tests_of[way].iter().filter(|test| !tried.contains(&(way, **test)));
                let mut tests: Vec<usize> =
                    untried.copied().filter(|test| self.company.does_something(*test) == doing).collect();
                self.words.sort_tests(&mut tests, way);
                now.extend(tests.into_iter().take(*at_once).map(|test| (way, test)));
            }
            if now.is_empty() {
                return;
            }
            judge(&now);
        }
    }

    /// Judges what does something together, and apart what did not pass.
    fn act(&self, jobs: usize, wanted: &dyn Fn(Cell) -> bool) {
        let acting = |cell: Cell| self.company.does_something(cell.1) && wanted(cell);
        let together = self.trials(&acting, &|tests| self.company.together(tests));
        let doubtful = self.round(jobs, &together, true);
        self.judge_apart(jobs, &doubtful);
    }

    fn judge_apart(&self, jobs: usize, cells: &HashSet<Cell>) {
        self.round(jobs, &self.apart(&|cell| cells.contains(&cell)), false);
    }

    fn apart(&self, wanted: &dyn Fn(Cell) -> bool) -> Vec<Trial<'a>> {
        self.trials(wanted, &|tests| self.company.apart(tests))
    }

    fn trials(
        &self,
        wanted: &dyn Fn(Cell) -> bool,
        groups: &dyn Fn(&[usize]) -> Vec<Group>,
    ) -> Vec<Trial<'a>> {
        let mut trials = Vec::new();
        for (number, way) in self.ways.iter().enumerate() {
            for (breakage, tests) in &way.variants {
                let making = Making { runtime: way.runtime, breakage: breakage.as_ref(), ..TRIED };
                let tests: Vec<usize> =
                    tests.iter().copied().filter(|test| wanted((number, *test))).collect();
                trials.extend(groups(&tests).into_iter().map(|group| Trial { way: number, group, making }));
            }
        }
        trials
    }

    /// Judges the tests of the trials; if they mingle, those of them that do not pass are not recorded, but returned.
    fn round(&self, jobs: usize, trials: &[Trial<'_>], mingle: bool) -> HashSet<Cell> {
        self.told().of += trials.iter().map(|trial| trial.group.entries.len()).sum::<usize>();
        let doubtful = Mutex::new(HashSet::new());
        self.engine.run_trials(self.plan, trials, jobs, |trial, test, outcome| {
            let cell = (trial.way, test);
            if self.company.does_something(test) {
                self.names.restore();
            }
            if mingle && self.company.mingles(test) && !matches!(outcome, Outcome::Passed) {
                doubtful.lock().unwrap_or_else(PoisonError::into_inner).insert(cell);
            } else {
                record(self.told().findings, cell, outcome);
            }
            self.told().step();
        });
        doubtful.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Told<'a>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told<'_> {
    fn step(&mut self) {
        self.done += 1;
        self.progress.step(self.done, self.of);
    }
}

/// Those that do not pass together in sound sandboxes do not in broken ones.
fn try_company(engine: &Engine, plan: &Plan, tests: &[Sound], company: &mut Company) {
    let places: Vec<usize> = tests.iter().map(|(place, _)| *place).collect();
    let trials = sound(company.together(&places));
    let parted = Mutex::new(Vec::new());
    engine.run_trials(plan, &trials, engine.jobs(), |_, test, outcome| {
        if !matches!(outcome, Outcome::Passed) {
            parted.lock().unwrap_or_else(PoisonError::into_inner).push(test);
        }
    });
    for test in parted.into_inner().unwrap_or_else(PoisonError::into_inner) {
        company.part(test);
    }
}

/// Tests in sound sandboxes.
pub(super) fn sound(groups: Vec<Group>) -> Vec<Trial<'static>> {
    groups.into_iter().map(|group| Trial { way: 0, group, making: TRIED }).collect()
}

fn tests_of(way: &Way) -> BTreeSet<usize> {
    way.variants.iter().flat_map(|(_, tests)| tests.iter().copied()).collect()
}

fn tried(way: &Way) -> Tried {
    Tried { name: way.name.clone(), kind: way.kind, trouble: None }
}

/// What is found last of a test under a breakage holds.
fn record(findings: &mut Findings, (way, test): Cell, outcome: &Outcome) {
    let tried = &mut findings.claims[test].tried;
    tried.retain(|(other, _)| *other != way);
    tried.push((way, outcome.ended()));
    note_trouble(&mut findings.breakages[way], outcome);
    if findings.ruined.is_none() && is_ruin(outcome) {
        findings.ruined = Some(findings.breakages[way].name.clone());
    }
}

/// In a sandbox broken so that it has no PID namespace of its own `kill -9 -1` ends whatever is in quarantine.
fn is_ruin(outcome: &Outcome) -> bool {
    let gone = NurseryError::Gone.to_string();
    said(outcome).is_some_and(|said| said.ends_with(&gone))
}

/// The first trouble is kept: where nothing could be judged it says why.
fn note_trouble(tried: &mut Tried, outcome: &Outcome) {
    if tried.trouble.is_none() {
        tried.trouble = said(outcome);
    }
}
