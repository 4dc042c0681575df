//! Tests that are run several times, and told once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::outcome::{Ended, Outcome, Trouble};
use crate::judge::Observations;

/// What has become of tests so far, by their places in the plan.
#[derive(Debug)]
pub(super) struct Tallies {
    times: usize,
    open: HashMap<usize, Tally>,
}

/// One test. However often it is run, not more of it is kept than of one run.
#[derive(Debug)]
struct Tally {
    counts: BTreeMap<Ended, usize>,
    worst: Round,
    took: Duration,
}

/// One run of a test.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) outcome: Outcome,
    pub(super) observed: Observations,
    pub(super) took: Duration,
}

impl Tallies {
    /// Each test is run so many times.
    pub(super) fn of(times: usize) -> Self {
        Self { times, open: HashMap::new() }
    }

    /// Counts a round. After the last of a test, what became of it: the worst, and with how often each came unless it was always the same.
    pub(super) fn count(&mut self, place: usize, round: Round) -> Option<Round> {
        let ended = round.outcome.ended();
        let took = round.took;
        let tally = match self.open.remove(&place) {
            None => Tally { counts: BTreeMap::new(), worst: round, took: Duration::ZERO },
            Some(tally) if rank(ended) > rank(tally.worst.outcome.ended()) => Tally { worst: round, ..tally },
            Some(tally) => tally,
        };
        let mut tally = Tally { took: tally.took + took, ..tally };
        *tally.counts.entry(ended).or_default() += 1;
        if tally.counts.values().sum::<usize>() < self.times {
            self.open.insert(place, tally);
            return None;
        }
        Some(tally.told(self.times))
    }
}

impl Tally {
    fn told(self, times: usize) -> Round {
        let Self { counts, worst: Round { outcome, observed, .. }, took } = self;
        let outcome = if counts.len() > 1 { flaky(outcome, &counts, times) } else { outcome };
        Round { outcome, observed, took }
    }
}

/// The worse, the more is to be seen in it. What was not measured says less than what was.
const fn rank(ended: Ended) -> usize {
    match ended {
        Ended::Passed => 0,
        Ended::Skipped => 1,
        Ended::NotMeasured => 2,
        Ended::Broken => 3,
        Ended::Failed => 4,
        Ended::Crashed => 5,
    }
}

/// What is sometimes so and sometimes not cannot be relied on, whatever comes of it most often.
fn flaky(worst: Outcome, counts: &BTreeMap<Ended, usize>, times: usize) -> Outcome {
    let count = |(ended, count): (&Ended, &usize)| format!("{} {count} of {times}", ended.word());
    let said = counts.iter().map(count).collect::<Vec<_>>().join(", ");
    let with = |trouble: Trouble| {
        let message = trouble.message.map_or_else(|| said.clone(), |message| format!("{said}\n{message}"));
        Trouble { message: Some(message), ..trouble }
    };
    match worst {
        Outcome::Crashed(trouble) => Outcome::Crashed(with(trouble)),
        Outcome::Failed(trouble) => Outcome::Failed(with(trouble)),
        Outcome::Broken(trouble) => Outcome::Broken(with(trouble)),
        Outcome::NotMeasured(reason) => Outcome::Broken(with(Trouble::saying(reason))),
        Outcome::Skipped(skip) => Outcome::Broken(with(Trouble::saying(skip.reason))),
        Outcome::Passed => Outcome::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Skip;

    fn told(outcomes: &[Outcome]) -> Outcome {
        let mut tallies = Tallies::of(outcomes.len());
        let mut told = None;
        for outcome in outcomes {
            assert!(told.is_none());
            let round = Round {
                outcome: outcome.clone(),
                observed: Observations::default(),
                took: Duration::from_secs(1),
            };
            told = tallies.count(7, round);
        }
        let told = told.unwrap();
        assert!(tallies.open.is_empty());
        assert_eq!(told.took, Duration::from_secs(outcomes.len() as u64));
        told.outcome
    }

    #[test]
    fn a_test_that_is_not_always_the_same_is_red() {
        use Outcome::{Broken, Crashed, Failed, NotMeasured, Passed, Skipped};
        let trouble = |text: &str| Trouble::saying(text);
        let skipped = || Skipped(Skip { need: "a".to_owned(), reason: "no a".to_owned() });
        let check = |outcomes: &[Outcome], expected: Outcome| assert_eq!(told(outcomes), expected);
        check(&[Passed], Passed);
        check(&[Passed, Passed, Passed], Passed);
        check(&[skipped(), skipped()], skipped());
        check(&[Failed(trouble("a")), Failed(trouble("b"))], Failed(trouble("a")));
        check(
            &[Passed, Failed(trouble("a")), Passed, Failed(trouble("b"))],
            Failed(trouble("passed 2 of 4, failed 2 of 4\na")),
        );
        check(
            &[Failed(Trouble::default()), Crashed(trouble("c")), Broken(trouble("b"))],
            Crashed(trouble("failed 1 of 3, broken 1 of 3, crashed 1 of 3\nc")),
        );
        check(
            &[Passed, NotMeasured("x".to_owned())],
            Broken(trouble("passed 1 of 2, not measured 1 of 2\nx")),
        );
        check(&[skipped(), Passed], Broken(trouble("passed 1 of 2, skipped 1 of 2\nno a")));
    }
}
