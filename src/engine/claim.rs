//! One claim, from its beginning to its outcome.

use std::time::{Duration, Instant};

use super::action::Done;
use super::outcome::{Outcome, Trouble};
use super::stage::{Stage, StageError};
use crate::fact::{Query, View};
use crate::judge::{Finding, Observations, Verdict, judge, needs_sandboxes, queries};
use crate::plan::{Skip, Test};
use crate::spec::{Action, Claim, Pace, Seen, Step, TIMEOUT};
use crate::sys::pipe;

/// How long `within` and `stays` wait between two looks: little at first, then more.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What is to be said of a claim, or of a step.
#[derive(Clone)]
enum Judged {
    Verdict(Verdict),
    Failed(String),
    Broken(String),
}

/// Judges a claim on its stage; with the outcome what was observed last, as evidence.
pub(super) fn run(stage: &mut Stage<'_>, test: &Test) -> (Outcome, Observations) {
    let claim = test.claim();
    let timeout = claim.about.timeout.or(test.scenario().about.timeout).unwrap_or(TIMEOUT);
    // A claim is not cut off while it waits for what it waits for by itself.
    let timeout = stage.longest().map_or(timeout, |longest| timeout.min(longest + patience(claim)));
    // An image may take minutes to build; the claim's time begins when its images are there.
    let there = stage.fetch_images();
    let mut telling = Telling::new(stage, Instant::now() + timeout);
    let outcome = match there.and_then(|()| telling.tell(claim)) {
        Ok(judged) if telling.stage.is_terse() => outcome(judged),
        Ok(judged) => outcome(telling.with_evidence(judged)),
        Err(StageError::Image { name, reason }) => {
            Outcome::Skipped(Skip { need: format!("image {name}"), reason })
        }
        Err(StageError::Refused(reason)) => {
            Outcome::Skipped(Skip { need: format!("runtime {}", test.runtime.name()), reason })
        }
        Err(error) => refused_or_broken(test, &error),
    };
    (outcome, telling.last)
}

/// How long the paces of its steps may take together.
fn patience(claim: &Claim) -> Duration {
    let of = |step: &Step| match step.pace {
        Pace::Now => Duration::ZERO,
        Pace::Within(limit) | Pace::Stays(limit) => limit,
    };
    claim.steps.iter().map(of).sum()
}

/// What the machine does not let anyone do is no fault of the sandbox.
fn refused_or_broken(test: &Test, error: &StageError) -> Outcome {
    let refusal = if let StageError::Start(start) = error { start.refusal() } else { None };
    let need = || format!("runtime {}", test.runtime.name());
    refusal.map_or_else(
        || Outcome::Broken(Trouble::saying(error)),
        |reason| Outcome::Skipped(Skip { need: need(), reason }),
    )
}

fn outcome(judged: Judged) -> Outcome {
    match judged {
        Judged::Verdict(Verdict::Held) => Outcome::Passed,
        Judged::Verdict(Verdict::Failed(findings)) => Outcome::Failed(Trouble::found(findings)),
        Judged::Verdict(Verdict::Broken(findings)) => Outcome::Broken(Trouble::found(findings)),
        Judged::Verdict(Verdict::NotMeasured(reason)) => Outcome::NotMeasured(reason),
        Judged::Failed(message) => Outcome::Failed(Trouble::saying(message)),
        Judged::Broken(message) => Outcome::Broken(Trouble::saying(message)),
    }
}

/// A claim being told.
struct Telling<'a, 'b, 'c> {
    stage: &'a mut Stage<'b>,
    deadline: Instant,
    beginning: Observations,
    /// What was observed at the last look.
    last: Observations,
    /// What did not hold at the last look.
    unheld: Option<&'c [Seen]>,
}

impl<'a, 'b, 'c> Telling<'a, 'b, 'c> {
    fn new(stage: &'a mut Stage<'b>, deadline: Instant) -> Self {
        let (beginning, last) = (Observations::default(), Observations::default());
        Self { stage, deadline, beginning, last, unheld: None }
    }

    fn tell(&mut self, claim: &'c Claim) -> Result<Judged, StageError> {
        self.begin(claim)?;
        match self.look(&claim.given)? {
            Verdict::Held => {}
            Verdict::Failed(findings) => return Ok(Judged::Verdict(not_given(&findings))),
            other => return Ok(Judged::Verdict(other)),
        }
        for step in &claim.steps {
            match self.step(step)? {
                Judged::Verdict(Verdict::Held) => {}
                other => return Ok(other),
            }
        }
        Ok(Judged::Verdict(Verdict::Held))
    }

    /// Observes what `unchanged` will be held against, before anything is done.
    fn begin(&mut self, claim: &Claim) -> Result<(), StageError> {
        let steps = claim.steps.iter().flat_map(|step| &step.seen);
        let seen: Vec<Seen> = claim.given.iter().chain(steps).cloned().collect();
        let of_beginning = |(view, query): (View, Query)| match view {
            View::Beginning(view) => Some((*view, query)),
            _ => None,
        };
        let wanted: Vec<(View, Query)> = queries(&seen).into_iter().filter_map(of_beginning).collect();
        let observed = self.stage.observe(&wanted, self.deadline)?;
        for (view, query) in wanted {
            if let Some(answer) = observed.get(&view, &query).cloned() {
                self.beginning.insert(View::Beginning(Box::new(view)), query, answer);
            }
        }
        Ok(())
    }

    fn look(&mut self, seen: &'c [Seen]) -> Result<Verdict, StageError> {
        if seen.is_empty() {
            return Ok(Verdict::Held);
        }
        self.last = self.stage.observe(&queries(seen), self.deadline)?;
        self.last.extend(self.beginning.clone());
        if needs_sandboxes(seen) {
            for (name, namespaces) in self.stage.running_sandboxes() {
                self.last.insert_sandbox(name, namespaces);
            }
        }
        let verdict = judge(seen, &self.last);
        self.unheld = matches!(verdict, Verdict::Failed(_)).then_some(seen);
        Ok(verdict)
    }

    fn step(&mut self, step: &'c Step) -> Result<Judged, StageError> {
        match step.pace {
            Pace::Now => self.act_and_look(step, true),
            Pace::Within(limit) => self.look_again(step, limit, Judged::holds),
            Pace::Stays(limit) => self.stay(step, limit),
        }
    }

    /// What was seen to hold for a shorter time than it must says nothing. Once it is seen not to hold it has not stayed so; a look that
    /// could not be had in between shows neither, and the others go on: one failure is a failure, whatever could not be observed besides.
    fn stay(&mut self, step: &'c Step, limit: Duration) -> Result<Judged, StageError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < limit {
            return Ok(Judged::Broken(format!(
                "the claim's time is up in {left:.1?}, before the {limit:?} for which it must stay so; raise its `timeout`"
            )));
        }
        let mut unseen = None;
        let judged = self.look_again(step, limit, |judged| {
            if judged.is_broken() && unseen.is_none() {
                unseen = Some(judged.clone());
            }
            !judged.holds() && !judged.is_broken()
        })?;
        Ok(unseen.filter(|_| judged.holds()).unwrap_or(judged))
    }

    fn act_and_look(&mut self, step: &'c Step, act: bool) -> Result<Judged, StageError> {
        if let Some(action) = step.action.as_ref().filter(|_| act) {
            self.unheld = None;
            match self.stage.perform(action, self.deadline)? {
                Done::Judged(Verdict::Held) => {}
                Done::Judged(verdict) => return Ok(Judged::Verdict(verdict)),
                Done::Failed(message) => return Ok(Judged::Failed(message)),
                Done::Broken(message) => return Ok(Judged::Broken(message)),
            }
        }
        self.look(&step.seen).map(Judged::Verdict)
    }

    /// Looks again and again until it is `settled` or the time is up; a command that is not left running is run again each
    /// time. The time begins with the end of the first look, for which a sandbox may have to be started.
    fn look_again(
        &mut self,
        step: &'c Step,
        limit: Duration,
        mut settled: impl FnMut(&Judged) -> bool,
    ) -> Result<Judged, StageError> {
        let mut end = None;
        let mut pause = FIRST_PAUSE;
        let mut act = true;
        loop {
            let judged = self.act_and_look(step, act)?;
            let end = *end.get_or_insert_with(|| self.deadline.min(Instant::now() + limit));
            if settled(&judged) || Instant::now() >= end {
                return Ok(judged);
            }
            act = repeats(step.action.as_ref());
            pipe::pause(pause.min(end.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Observes what did not hold from every other viewpoint as well, and judges it again: the verdict is the same, and its
    /// findings tell more.
    fn with_evidence(&mut self, judged: Judged) -> Judged {
        let (Judged::Verdict(Verdict::Failed(_)), Some(seen)) = (&judged, self.unheld) else { return judged };
        let wanted: Vec<(View, Query)> = self.stage.other_views(seen);
        let unknown = |(view, query): &(View, Query)| self.last.get(view, query).is_none();
        let wanted: Vec<(View, Query)> = wanted.into_iter().filter(unknown).collect();
        // The sandbox may have ended by now: then there is no more evidence than there was.
        if let Ok(more) = self.stage.observe(&wanted, self.deadline) {
            let mut all = more;
            all.extend(std::mem::take(&mut self.last));
            self.last = all;
        }
        match judge(seen, &self.last) {
            Verdict::Failed(findings) => Judged::Verdict(Verdict::Failed(findings)),
            _ => judged,
        }
    }
}

impl Judged {
    const fn holds(&self) -> bool {
        matches!(self, Self::Verdict(Verdict::Held))
    }

    const fn is_broken(&self) -> bool {
        matches!(self, Self::Verdict(Verdict::Broken(_)) | Self::Broken(_))
    }
}

fn not_given(findings: &[Finding]) -> Verdict {
    let why = findings.first().map(|finding| format!("{}: {}", finding.fact, finding.label));
    Verdict::NotMeasured(format!("what is given is not so: {}", why.unwrap_or_default()))
}

fn repeats(action: Option<&Action>) -> bool {
    matches!(action, Some(Action::Exec(command) | Action::HostRun(command)) if command.name.is_none())
}
