//! One claim, from its beginning to its outcome.

use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

use super::action::Done;
use super::outcome::{Outcome, Trouble};
use super::stage::{Stage, StageError};
use crate::fact::{Query, View};
use crate::judge::{Observations, Verdict, judge, queries};
use crate::plan::{Skip, Test};
use crate::spec::{Action, Claim, Pace, Seen, Step};

/// The time limit of a claim that sets none.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long `within` and `stays` wait between two looks: little at first, then more.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What is to be said of a claim, or of a step.
enum Judged {
    Verdict(Verdict),
    Failed(String),
    Broken(String),
}

/// Judges a claim on its stage.
pub(super) fn run(stage: &mut Stage<'_>, test: &Test) -> (Outcome, Observations) {
    let claim = test.claim();
    let timeout = claim.about.timeout.or(test.scenario().about.timeout).unwrap_or(TIMEOUT);
    let mut last = Observations::default();
    // An image may take minutes to build; the claim's time begins when its images are there.
    let told = stage.fetch_images().and_then(|()| {
        Telling { stage, deadline: Instant::now() + timeout, beginning: Observations::default() }
            .tell(claim, &mut last)
    });
    let outcome = match told {
        Ok(judged) => outcome(judged),
        Err(StageError::Image { name, reason }) => {
            Outcome::Skipped(Skip { need: format!("image {name}"), reason })
        }
        Err(error) => Outcome::Broken(Trouble::saying(error)),
    };
    (outcome, last)
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
struct Telling<'a, 'b> {
    stage: &'a mut Stage<'b>,
    deadline: Instant,
    beginning: Observations,
}

impl Telling<'_, '_> {
    fn tell(&mut self, claim: &Claim, last: &mut Observations) -> Result<Judged, StageError> {
        self.begin(claim)?;
        match self.look(&claim.given, last)? {
            Verdict::Held => {}
            Verdict::Failed(findings) => {
                let why = findings.first().map(|finding| format!("{}: {}", finding.fact, finding.label));
                return Ok(Judged::Verdict(Verdict::NotMeasured(format!(
                    "what is given is not so: {}",
                    why.unwrap_or_default()
                ))));
            }
            other => return Ok(Judged::Verdict(other)),
        }
        for step in &claim.steps {
            match self.step(step, last)? {
                Judged::Verdict(Verdict::Held) => {}
                other => return Ok(other),
            }
        }
        Ok(Judged::Verdict(Verdict::Held))
    }

    /// Observes what `unchanged` will be held against, before anything is done.
    fn begin(&mut self, claim: &Claim) -> Result<(), StageError> {
        let seen = claim
            .given
            .iter()
            .chain(claim.steps.iter().flat_map(|step| &step.seen))
            .cloned()
            .collect::<Vec<_>>();
        let unwrap = |(view, query): (View, Query)| match view {
            View::Beginning(view) => Some((*view, query)),
            _ => None,
        };
        let wanted: Vec<(View, Query)> = queries(&seen).into_iter().filter_map(unwrap).collect();
        let observed = self.stage.observe(&wanted, self.deadline)?;
        for (view, query) in wanted {
            if let Some(answer) = observed.get(&view, &query).cloned() {
                self.beginning.insert(View::Beginning(Box::new(view)), query, answer);
            }
        }
        Ok(())
    }

    fn look(&mut self, seen: &[Seen], last: &mut Observations) -> Result<Verdict, StageError> {
        if seen.is_empty() {
            return Ok(Verdict::Held);
        }
        let mut observations = self.stage.observe(&queries(seen), self.deadline)?;
        observations.extend(self.beginning.clone());
        let verdict = judge(seen, &observations);
        *last = observations;
        Ok(verdict)
    }

    fn step(&mut self, step: &Step, last: &mut Observations) -> Result<Judged, StageError> {
        match step.pace {
            Pace::Now => self.act_and_look(step, true, last),
            Pace::Within(limit) => self.until_held(step, limit, last),
            Pace::Stays(limit) => self.while_held(step, limit, last),
        }
    }

    fn act_and_look(
        &mut self,
        step: &Step,
        act: bool,
        last: &mut Observations,
    ) -> Result<Judged, StageError> {
        if let Some(action) = step.action.as_ref().filter(|_| act) {
            match self.stage.perform(action, self.deadline)? {
                Done::Judged(Verdict::Held) => {}
                Done::Judged(verdict) => return Ok(Judged::Verdict(verdict)),
                Done::Failed(message) => return Ok(Judged::Failed(message)),
                Done::Broken(message) => return Ok(Judged::Broken(message)),
            }
        }
        self.look(&step.seen, last).map(Judged::Verdict)
    }

    /// Looks again and again; a command that is not left running is run again each time.
    fn until_held(
        &mut self,
        step: &Step,
        limit: Duration,
        last: &mut Observations,
    ) -> Result<Judged, StageError> {
        let end = self.deadline.min(Instant::now() + limit);
        let mut pause = FIRST_PAUSE;
        let mut act = true;
        loop {
            let judged = self.act_and_look(step, act, last)?;
            if matches!(judged, Judged::Verdict(Verdict::Held)) || Instant::now() >= end {
                return Ok(judged);
            }
            act = repeats(step.action.as_ref());
            wait(pause.min(end.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn while_held(
        &mut self,
        step: &Step,
        limit: Duration,
        last: &mut Observations,
    ) -> Result<Judged, StageError> {
        let end = self.deadline.min(Instant::now() + limit);
        let mut pause = FIRST_PAUSE;
        let mut act = true;
        loop {
            let judged = self.act_and_look(step, act, last)?;
            if !matches!(judged, Judged::Verdict(Verdict::Held)) || Instant::now() >= end {
                return Ok(judged);
            }
            act = repeats(step.action.as_ref());
            wait(pause.min(end.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn repeats(action: Option<&Action>) -> bool {
    matches!(action, Some(Action::Exec(command) | Action::HostRun(command)) if command.name.is_none())
}

/// A pause, in poll(2) with nothing to wait for.
fn wait(pause: Duration) {
    let pause = PollTimeout::try_from(pause.as_millis().max(1)).unwrap_or(PollTimeout::ZERO);
    // Interrupted, it was a shorter pause.
    let _ = poll(&mut [], pause);
}
