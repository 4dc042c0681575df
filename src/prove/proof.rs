//! The proof: every claim as it is, and again under every breakage.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::company::Company;
use super::findings::{Claimed, Findings, Idle};
use super::names::HostNames;
use super::rounds::{self, Rounds};
use super::{negate, ways};
use crate::engine::{Ended, Engine, Event, Listener, Outcome, Trouble};
use crate::plan::{Choice, Entry, Plan, Test};

/// Who is told how far a proof has come.
pub trait Progress: Send {
    /// So many sandboxes' worth of trials are done, of so many.
    fn step(&mut self, done: usize, of: usize);
}

/// How far a proof goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Negate every single expectation, each of which must turn its claim red; break no sandbox
    Negations,
    /// Judge every claim where there is no sandbox, and what pretends to be one: nothing may pass but what holds anywhere
    Nulls,
    /// Both, and break every sandbox in every way, one thing at a time; a claim is done with once something turned it red
    #[default]
    Whole,
    /// The same, and judge every claim under every breakage
    Matrix,
}

impl Extent {
    /// Whether sandboxes are broken in every way.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Whole | Self::Matrix)
    }
}

/// Proves the plan's claims.
pub fn prove(engine: &Engine, plan: &Plan, extent: Extent, progress: &mut dyn Progress) -> Findings {
    let names = HostNames::now();
    let mut sound = Sound { claims: plan.entries.iter().map(unknown).collect(), plan };
    engine.run(plan, &mut sound);
    names.restore();
    let mut findings = Findings { claims: sound.claims, extent, ..Findings::default() };
    let passed: Vec<usize> =
        (0..plan.entries.len()).filter(|place| findings.claims[*place].sound == Ended::Passed).collect();
    let tests = ways::open(plan, &passed);
    if extent != Extent::Nulls {
        negate_all(engine, &tests, &mut findings, progress);
    }
    if extent != Extent::Negations {
        let ways = if extent == Extent::Nulls { ways::nulls(&tests) } else { ways::ways(&tests) };
        Rounds::new(engine, (plan, &tests), &ways, names, &mut findings, progress).run();
    }
    findings
}

/// Judges every claim once more for each of its expectations, with that one negated.
fn negate_all(engine: &Engine, tests: &[ways::Sound], findings: &mut Findings, progress: &mut dyn Progress) {
    let mut plan = Plan::new(Choice::default());
    let mut places = Vec::new();
    for (number, test) in tests.iter().map(|(number, test)| (*number, test)) {
        let (spec, expectations) = negate::negations(&test.spec, test.scenario, test.claim);
        let from = plan.entries.len();
        let added = plan.add_on(&spec, test.runtime);
        // One test for each expectation, or nobody knows which is which.
        if added.is_ok() && plan.entries.len() - from == expectations.len() {
            places.extend(expectations.into_iter().map(|expectation| (number, expectation)));
        } else {
            plan.entries.truncate(from);
            let outcome = Outcome::Broken(Trouble::saying("its expectations could not be negated"));
            let claim = &findings.claims[number];
            let lost = idle(claim, claim.line, "anything", &outcome);
            findings.idle.push(lost);
        }
    }
    let all: Vec<usize> = (0..plan.entries.len()).collect();
    let tests = ways::open(&plan, &all);
    let trials = rounds::sound(Company::of(&tests).apart(&all));
    let (of, told) = (all.len(), Mutex::new((&mut *findings, progress, 0)));
    engine.run_trials(&plan, &trials, engine.jobs(), |_, test, outcome| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let (findings, progress, done) = &mut *told;
        if outcome.ended() != Ended::Failed {
            let (number, (at, what)) = &places[test];
            let idle = idle(&findings.claims[*number], at.line, what, outcome);
            findings.idle.push(idle);
        }
        *done += 1;
        progress.step(*done, of);
    });
    findings.negated = of;
}

fn idle(claim: &Claimed, line: usize, what: &str, outcome: &Outcome) -> Idle {
    Idle {
        claim: claim.name.clone(),
        file: claim.file.clone(),
        line,
        what: what.to_owned(),
        ended: outcome.ended(),
        reason: said(outcome),
    }
}

/// Why something was not judged.
pub(super) fn said(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Skipped(skip) => Some(format!("{}: {}", skip.need, skip.reason)),
        Outcome::NotMeasured(reason) => Some(reason.clone()),
        Outcome::Broken(trouble) | Outcome::Crashed(trouble) => trouble.message.clone().or_else(|| {
            trouble.findings.first().map(|finding| format!("{}: {}", finding.fact, finding.label))
        }),
        Outcome::Passed | Outcome::Failed(_) => None,
    }
}

fn unknown(entry: &Entry) -> Claimed {
    Claimed {
        name: entry.name.clone(),
        file: std::path::PathBuf::new(),
        line: 0,
        sound: Ended::Skipped,
        reason: None,
        holds_anywhere: false,
        withheld: None,
        tried: Vec::new(),
    }
}

/// Hears the run in sound sandboxes.
struct Sound<'a> {
    plan: &'a Plan,
    claims: Vec<Claimed>,
}

impl Listener for Sound<'_> {
    fn hear(&mut self, event: &Event<'_>) {
        let Event::Ended { entry, test, outcome, .. } = event else { return };
        let place = self.plan.entries.iter().position(|other| std::ptr::eq(other, *entry));
        let Some(claim) = place.map(|place| &mut self.claims[place]) else { return };
        claim.sound = outcome.ended();
        claim.reason = said(outcome);
        if let Some(test) = test {
            about(claim, test);
        }
    }
}

fn about(claimed: &mut Claimed, test: &Test) {
    claimed.file.clone_from(&test.spec.path);
    claimed.line = test.claim().at.line;
    claimed.holds_anywhere = test.claim().holds_anywhere;
}
