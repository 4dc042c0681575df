//! What a proof found: of each claim what turned it red, and of each breakage which claims it turned red.

use std::path::PathBuf;

use serde::Serialize;

use super::proof::Extent;
use crate::engine::Ended;

/// What a proof found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Findings {
    /// How far the proof went.
    pub extent: Extent,
    /// The claims, in the order of the specs.
    pub claims: Vec<Claimed>,
    /// The ways in which sandboxes were broken: first the nulls, which are no sandboxes, then one thing at a time.
    pub breakages: Vec<Tried>,
    /// How many expectations were negated.
    pub negated: usize,
    /// Those whose negation did not fail.
    pub idle: Vec<Idle>,
    /// Under which breakage the proof's own processes were killed, so that nothing after it was judged.
    pub ruined: Option<String>,
}

/// A claim.
#[derive(Debug, Clone, Serialize)]
pub struct Claimed {
    /// The test's whole name.
    pub name: String,
    /// The spec.
    pub file: PathBuf,
    /// The line of its sentence.
    pub line: usize,
    /// What became of it in a sound sandbox. Only a claim that passed can be proven.
    pub sound: Ended,
    /// Why it was not measured there, or is red.
    pub reason: Option<String>,
    /// Whether it says that it holds anywhere.
    pub holds_anywhere: bool,
    /// A breakage that was not tried on it, since what it does would reach the host's files.
    pub withheld: Option<String>,
    /// What became of it under each breakage that was tried on it: the breakage's place, and the outcome.
    pub tried: Vec<(usize, Ended)>,
}

/// A way in which sandboxes were broken.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// What it left of the sandbox.
    pub kind: Left,
    /// What was said where a claim under it was broken: if all were, then why it could not be made.
    pub trouble: Option<String>,
}

/// An expectation that does not turn its claim red when it is negated.
#[derive(Debug, Clone, Serialize)]
pub struct Idle {
    /// The test's whole name.
    pub claim: String,
    /// The spec.
    pub file: PathBuf,
    /// The line of the expectation.
    pub line: usize,
    /// What it is about: `pid`, `stdout`.
    pub what: String,
    /// What became of the claim when it was negated.
    pub ended: Ended,
    /// What was said, if it was not judged.
    pub reason: Option<String>,
}

/// What a way of breaking leaves of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// All but one thing.
    AllButOne,
    /// Nothing, or next to nothing: what passes says nothing of a sandbox.
    Nothing,
    /// Nothing, and something that pretends: what passes has been deceived, and what fails proves nothing of the claim.
    Pretence,
}

/// What is to be said of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Something turned it red.
    Proven,
    /// It says that it holds anywhere, and did.
    Anywhere,
    /// It says that it holds anywhere, and did not pass without a sandbox.
    NotAnywhere,
    /// Nothing turned it red, but not everything could be tried without harm.
    Withheld,
    /// Nothing turned it red.
    Vacuous,
    /// It did not pass in a sound sandbox, or nothing was broken.
    Unproven,
}

/// What is to be said of a breakage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Caught {
    /// By so many claims.
    By(usize),
    /// By none: a blind spot.
    Missed,
    /// No claim could be judged under it.
    Unjudged,
}

/// What a proof may not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Denied {
    /// A claim that nothing turns red, or that wrongly says that it holds anywhere
    Vacuous,
    /// A breakage that no claim turns red under
    Blind,
    /// Neither
    Nothing,
}

impl Claimed {
    /// What is to be said of it.
    pub fn verdict(&self, breakages: &[Tried]) -> Verdict {
        let failed = self.caught().any(|place| breakages[place].kind != Left::Pretence);
        match self.sound {
            Ended::Passed if breakages.is_empty() => Verdict::Unproven,
            Ended::Passed if self.holds_anywhere && self.holds_without(breakages) => Verdict::Anywhere,
            Ended::Passed if self.holds_anywhere => Verdict::NotAnywhere,
            Ended::Passed if failed => Verdict::Proven,
            Ended::Passed if self.withheld.is_some() => Verdict::Withheld,
            Ended::Passed => Verdict::Vacuous,
            _ => Verdict::Unproven,
        }
    }

    /// Whether it passed without a sandbox; one that acts, which is not tried on the host, where next to nothing is left of one.
    fn holds_without(&self, breakages: &[Tried]) -> bool {
        let under = |name: &str| {
            let tried = self.tried.iter().find(|(place, _)| breakages[*place].name == name);
            tried.map(|(_, ended)| *ended == Ended::Passed)
        };
        under(super::ways::NONE).or_else(|| under(super::ways::CHROOT)).unwrap_or(false)
    }

    /// The places of the breakages that turned it red.
    pub fn caught(&self) -> impl Iterator<Item = usize> {
        self.tried.iter().filter(|(_, ended)| *ended == Ended::Failed).map(|(place, _)| *place)
    }
}

impl Findings {
    /// How many claims there are of a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.claims.iter().filter(|claim| claim.verdict(&self.breakages) == verdict).count()
    }

    /// What is to be said of the breakage at this place.
    pub fn caught(&self, place: usize) -> Caught {
        let ended = |wanted: &[Ended]| {
            let tried = self.claims.iter().flat_map(|claim| &claim.tried);
            tried.filter(|(other, ended)| *other == place && wanted.contains(ended)).count()
        };
        match (ended(&[Ended::Failed]), ended(&[Ended::Passed])) {
            (0, 0) => Caught::Unjudged,
            (0, _) => Caught::Missed,
            (count, _) => Caught::By(count),
        }
    }

    /// The breakages of one thing at a time, each with its place.
    pub fn one_off(&self) -> impl Iterator<Item = (usize, &Tried)> {
        self.breakages.iter().enumerate().filter(|(_, tried)| tried.kind == Left::AllButOne)
    }

    /// The breakages that leave nothing of a sandbox, each with its place.
    pub fn nulls(&self) -> impl Iterator<Item = (usize, &Tried)> {
        self.breakages.iter().enumerate().filter(|(_, tried)| tried.kind != Left::AllButOne)
    }

    /// The claims that were deceived: they passed where nothing was what it seemed.
    pub fn deceived(&self) -> impl Iterator<Item = (&Claimed, &Tried)> {
        let pretences = self.nulls().filter(|(_, tried)| tried.kind == Left::Pretence);
        pretences.flat_map(|(place, tried)| {
            let passed = move |claim: &&Claimed| claim.tried.contains(&(place, Ended::Passed));
            self.claims.iter().filter(passed).map(move |claim| (claim, tried))
        })
    }

    /// The claims that pass without any sandbox, although they do not say that they hold anywhere.
    pub fn hold_anyway(&self) -> impl Iterator<Item = &Claimed> {
        let none = self.breakages.iter().position(|tried| tried.name == super::ways::NONE);
        let passes =
            move |claim: &&Claimed| none.is_some_and(|none| claim.tried.contains(&(none, Ended::Passed)));
        self.claims.iter().filter(move |claim| !claim.holds_anywhere && passes(claim))
    }

    /// How many breakages of one thing were caught, and how many could be.
    pub fn score(&self) -> (usize, usize) {
        let caught: Vec<Caught> = self.one_off().map(|(place, _)| self.caught(place)).collect();
        let judged = caught.iter().filter(|caught| **caught != Caught::Unjudged).count();
        (caught.iter().filter(|caught| matches!(caught, Caught::By(_))).count(), judged)
    }

    /// How many claims nothing turns red, or only what they say does not; without breakages, how many pass without a sandbox.
    pub fn vacuous(&self) -> usize {
        let unproven = match self.extent {
            Extent::Negations => return 0,
            Extent::Nulls => self.hold_anyway().count(),
            Extent::Whole | Extent::Matrix => self.count(Verdict::Vacuous),
        };
        unproven + self.count(Verdict::NotAnywhere)
    }

    /// Whether there is something that may not be.
    pub fn is_denied(&self, denied: &[Denied], least_caught: u32) -> bool {
        let (caught, judged) = self.score();
        denied.contains(&Denied::Vacuous) && (self.vacuous() > 0 || self.deceived().next().is_some())
            || denied.contains(&Denied::Blind) && caught < judged
            || caught * 100 < judged * least_caught as usize
    }
}
