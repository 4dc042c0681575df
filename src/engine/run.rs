//! The engine: runs groups of tests on as many threads as there are jobs, and tells what became of each.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::claim;
use super::date;
use super::elsewhere::{Elsewhere, Errand, News};
use super::event::{Event, Listener};
use super::idle::Idle;
use super::images::Images;
use super::keep::Keep;
use super::outcome::{Outcome, Summary, Trouble};
use super::repeat::{Round, Tallies};
use super::stage::Stage;
use super::trial::{Making, Trial};
use crate::fact::Answer;
use crate::image::ImageError;
use crate::judge::Observations;
use crate::plan::{Entry, Group, KNOWN_ISSUE, Plan, Skip, Test};
use crate::sandbox::Nursery;
use crate::spec::KnownIssue;

/// What a run can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many groups are run side by side; at least 1.
    pub jobs: usize,
    /// Needs that must be met.
    pub required: Vec<String>,
    /// Where the evidence of failures is kept.
    pub keep: Keep,
    /// Whether claims share the sandboxes that they leave as they were, and controls. Nothing may depend on it.
    pub share: bool,
}

/// How many sandboxes may wait for whoever wants one of their kind, and for each job besides. A scenario's are seldom of more than three kinds
/// with the control, and three of four scenarios want those of the default or of the hardened profile.
const WAITING: usize = 8;
const WAITING_FOR_EACH: usize = 2;

/// What a run works with.
#[derive(Debug)]
pub struct Engine {
    nursery: Nursery,
    images: Images,
    idle: Idle,
    options: Options,
    /// How often each group is run.
    times: usize,
    /// What controls that succeeded have answered, by their kind and what they were asked.
    controls: Mutex<HashMap<String, Vec<Answer>>>,
    /// How many controls were started.
    controls_started: AtomicUsize,
}

impl Engine {
    /// With a nursery that was started before any thread.
    pub fn new(nursery: Nursery, options: Options) -> Result<Self, ImageError> {
        Ok(Self::with(nursery, options, Images::open()?))
    }

    fn with(nursery: Nursery, options: Options, images: Images) -> Self {
        let waiting = if options.share { WAITING + WAITING_FOR_EACH * options.jobs } else { 0 };
        Self {
            nursery,
            images,
            idle: Idle::at_most(waiting),
            options,
            times: 1,
            controls: Mutex::default(),
            controls_started: AtomicUsize::new(0),
        }
    }

    /// Every test is run so many times, and told once.
    #[must_use]
    pub const fn repeating(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// With the images only that are laid out for it, as where none can be built.
    pub(crate) fn with_images_at_hand(nursery: Nursery, options: Options) -> Self {
        Self::with(nursery, options, Images::at_hand())
    }

    /// Lays out these images and no others, by what specs call them.
    pub(crate) fn lay_images(&self, images: impl IntoIterator<Item = (String, PathBuf)>) {
        self.images.lay(images);
    }

    /// Runs the plan's tests, and tells the listener.
    pub fn run(&self, plan: &Plan, listener: &mut dyn Listener) -> Summary {
        self.run_with(plan, None, listener)
    }

    /// The same with somebody who has those judged that are meant for other kernels.
    pub fn run_with(
        &self,
        plan: &Plan,
        elsewhere: Option<&dyn Elsewhere>,
        listener: &mut dyn Listener,
    ) -> Summary {
        let began = Instant::now();
        let telling = Mutex::new(Telling {
            listener,
            summary: Summary::default(),
            required: &self.options.required,
            tallies: Tallies::of(self.times),
        });
        tell(&telling, |telling| telling.listener.hear(&Event::Started { tests: plan.entries.len() }));
        for entry in &plan.entries {
            if let Some(skip) = &entry.skip {
                let round = End::without_look(Outcome::Skipped(skip.clone())).round();
                tell(&telling, |telling| telling.tell(entry, entry.open().ok().as_ref(), &round));
            }
        }
        let started = || (self.nursery.sandboxes(), self.controls_started.load(Ordering::Relaxed));
        let before = started();
        self.run_groups(plan, elsewhere, &telling);
        self.idle.end();
        let Telling { listener, mut summary, .. } =
            telling.into_inner().unwrap_or_else(PoisonError::into_inner);
        let after = started();
        summary.sandboxes += after.0 - before.0;
        summary.controls += after.1 - before.1;
        listener.hear(&Event::Finished { summary: &summary, took: began.elapsed() });
        summary
    }

    fn run_groups(&self, plan: &Plan, elsewhere: Option<&dyn Elsewhere>, telling: &Mutex<Telling<'_>>) {
        let groups = if self.options.share { plan.groups() } else { plan.apart() };
        let there = plan.elsewhere();
        let all: Vec<(bool, Group)> = there
            .into_iter()
            .map(|group| (true, group))
            .chain(groups.into_iter().map(|group| (false, group)))
            .flat_map(|group| std::iter::repeat_n(group, self.times))
            .collect();
        Self::side_by_side(&all, self.jobs(), |(away, group)| {
            if *away {
                return self.send(plan, group, elsewhere, telling);
            }
            let begun = |place: usize| {
                let entry = &plan.entries[place];
                tell(telling, |telling| telling.listener.hear(&Event::Begun { entry }));
            };
            self.run_group(plan, group, Making::default(), begun, |place, test, mut end| {
                if let Ok(test) = test {
                    end.outcome = with_known_issues(end.outcome, test);
                }
                tell(telling, |telling| telling.ended(plan, place, test.ok(), end.round()));
            });
        });
    }

    /// Has a group judged by another kernel.
    fn send(
        &self,
        plan: &Plan,
        group: &Group,
        elsewhere: Option<&dyn Elsewhere>,
        telling: &Mutex<Telling<'_>>,
    ) {
        let mut tests = Vec::new();
        for place in &group.entries {
            let entry = &plan.entries[*place];
            match entry.open() {
                Ok(test) => tests.push((*place, Arc::new(test))),
                Err(reason) => {
                    let end = End::without_look(Outcome::Broken(Trouble::saying(&reason)));
                    tell(telling, |telling| telling.ended(plan, *place, None, end.round()));
                }
            }
        }
        let (Some(first), Some(elsewhere)) =
            (group.entries.first().map(|place| &plan.entries[*place]), elsewhere)
        else {
            return;
        };
        let errand = Errand {
            kernel: first.kernel().unwrap_or_default(),
            prefix: first.prefix(),
            tests: &tests,
            nursery: &self.nursery,
            image: &|name, directory| self.image(name, directory),
        };
        elsewhere.judge(&errand, &mut |news| tell(telling, |telling| telling.heard(plan, &tests, news)));
    }

    /// Runs groups of the plan's tests in sandboxes that are made otherwise than the specs say, and tells what became of each
    /// test: the trial, the test's place in the plan, its outcome. At most `jobs` of them run side by side.
    pub fn run_trials(
        &self,
        plan: &Plan,
        trials: &[Trial<'_>],
        jobs: usize,
        heard: impl Fn(&Trial<'_>, usize, &Outcome) + Sync,
    ) {
        Self::side_by_side(trials, jobs, |trial| {
            self.run_group(
                plan,
                &trial.group,
                trial.making,
                |_| {},
                |place, _, end| {
                    heard(trial, place, &end.outcome);
                },
            );
        });
        self.idle.end();
    }

    fn side_by_side<T: Sync>(all: &[T], jobs: usize, run: impl Fn(&T) + Sync) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                run(one);
            }
        };
        std::thread::scope(|scope| {
            // A thread that cannot be had is not missed: those that are there do its work.
            for _ in 1..jobs.min(all.len()) {
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
    }

    /// Runs the tests of a group one after another, on the sandboxes that they share.
    fn run_group(
        &self,
        plan: &Plan,
        group: &Group,
        making: Making<'_>,
        mut begun: impl FnMut(usize),
        mut ended: impl FnMut(usize, Result<&Test, &String>, End),
    ) {
        let mut stage: Option<Stage<'_>> = None;
        // Whether the stage's sandboxes have served well, so that others may have them.
        let mut served = true;
        for (place, entry) in group.entries.iter().map(|place| (*place, &plan.entries[*place])) {
            let began = Instant::now();
            let test = match entry.open() {
                Ok(test) => Arc::new(test),
                Err(reason) => {
                    let outcome = Outcome::Broken(Trouble::saying(&reason));
                    ended(place, Err(&reason), End::without_look(outcome));
                    continue;
                }
            };
            let on = stage.get_or_insert_with(|| Stage::new(self, Arc::clone(&test), making));
            on.turn_to(Arc::clone(&test));
            begun(place);
            let (outcome, observed) = self.run_test(on, &test);
            if may_have_harmed(&test, &outcome) {
                stage = None;
            }
            served &= stage.is_none() || outcome.trouble().is_none();
            ended(place, Ok(&test), End { outcome, observed, began });
        }
        if let Some(stage) = stage.filter(|_| served) {
            stage.hand_on();
        }
    }

    fn run_test(&self, stage: &mut Stage<'_>, test: &Test) -> (Outcome, Observations) {
        let told = catch_unwind(AssertUnwindSafe(|| {
            let (mut outcome, observations) = claim::run(stage, test);
            if let Outcome::Failed(trouble) | Outcome::Broken(trouble) = &mut outcome {
                trouble.kept = self.options.keep.evidence(stage, test, trouble, &observations);
            }
            (outcome, observations)
        }));
        told.unwrap_or_else(|_| {
            let outcome = Outcome::Broken(Trouble::saying("airtight itself panicked; please report it"));
            (outcome, Observations::default())
        })
    }

    /// Sandboxes that nobody uses just now.
    pub(super) const fn idle(&self) -> &Idle {
        &self.idle
    }

    /// A control is started.
    pub(super) fn count_control(&self) {
        self.controls_started.fetch_add(1, Ordering::Relaxed);
    }

    /// What a control has answered.
    pub(super) fn remembered(&self, key: &str) -> Option<Vec<Answer>> {
        self.controls.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Remembers it for claims that share their controls.
    pub(super) fn remember(&self, key: &str, answers: &[Answer]) {
        if self.options.share {
            let mut controls = self.controls.lock().unwrap_or_else(PoisonError::into_inner);
            controls.insert(key.to_owned(), answers.to_vec());
        }
    }

    /// How many groups it runs side by side.
    pub const fn jobs(&self) -> usize {
        self.options.jobs
    }

    /// What makes processes.
    pub(super) const fn nursery(&self) -> &Nursery {
        &self.nursery
    }

    /// The root of an image, or why there is none.
    pub(super) fn image(&self, reference: &str, relative_to: &Path) -> Result<PathBuf, String> {
        self.images.root(reference, relative_to)
    }

    /// Needs that must be met.
    pub fn required(&self) -> &[String] {
        &self.options.required
    }
}

/// What went wrong may have left the sandbox in any state, unless it was only looked at.
fn may_have_harmed(test: &Test, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(_) => !test.only_observes() || test.does_something(),
        other => other.trouble().is_some(),
    }
}

/// What became of a test, with what was observed last.
struct End {
    outcome: Outcome,
    observed: Observations,
    began: Instant,
}

impl End {
    fn round(self) -> Round {
        Round { outcome: self.outcome, observed: self.observed, took: self.began.elapsed() }
    }

    /// Of a test for which nobody looked.
    fn without_look(outcome: Outcome) -> Self {
        Self { outcome, observed: Observations::default(), began: Instant::now() }
    }
}

/// Who is told, one at a time.
struct Telling<'a> {
    listener: &'a mut dyn Listener,
    summary: Summary,
    required: &'a [String],
    tallies: Tallies,
}

impl Telling<'_> {
    fn heard(&mut self, plan: &Plan, tests: &[(usize, Arc<Test>)], news: News) {
        match news {
            News::Sandboxes(sandboxes, controls) => {
                self.summary.sandboxes += sandboxes;
                self.summary.controls += controls;
            }
            News::Ended { place, outcome, observed, took } => {
                let test = tests.iter().find(|(known, _)| *known == place).map(|(_, test)| test.as_ref());
                self.ended(plan, place, test, Round { outcome, observed, took });
            }
        }
    }

    /// A test has ended; it is told after the last time.
    fn ended(&mut self, plan: &Plan, place: usize, test: Option<&Test>, round: Round) {
        if let Some(round) = self.tallies.count(place, round) {
            self.tell(&plan.entries[place], test, &round);
        }
    }

    fn tell(&mut self, entry: &Entry, test: Option<&Test>, round: &Round) {
        let Round { outcome, observed, took } = round;
        self.summary.count(outcome, self.required);
        self.listener.hear(&Event::Ended { entry, test, outcome, observed, took: *took });
    }
}

fn tell<'a>(telling: &Mutex<Telling<'a>>, what: impl FnOnce(&mut Telling<'a>)) {
    what(&mut telling.lock().unwrap_or_else(PoisonError::into_inner));
}

/// A known defect must keep failing: its claim is skipped while it does, and red once it holds or the day is past. What a runtime's own file
/// says of it may hold, since a newer version gives more.
fn with_known_issues(outcome: Outcome, test: &Test) -> Outcome {
    let Some(issue) = test.claim().known_issues.iter().find(|issue| applies(issue, test)) else {
        let known = match &outcome {
            Outcome::Failed(_) => test.runtime.known_issue(&test.sentence()),
            _ => None,
        };
        return known.map_or(outcome, known_issue);
    };
    let expired = issue.until.as_ref().is_some_and(|until| date::today().as_str() > until.as_str());
    match outcome {
        Outcome::Passed => Outcome::Failed(Trouble::saying(format!(
            "the known issue no longer shows: the claim holds; remove `known_issue` ({})",
            issue.link
        ))),
        Outcome::Failed(mut trouble) if expired => {
            let until = issue.until.clone().unwrap_or_default();
            trouble.message = Some(format!("the known issue was an excuse until {until} ({})", issue.link));
            Outcome::Failed(trouble)
        }
        Outcome::Failed(_) => known_issue(format!("{} ({})", issue.because, issue.link)),
        other => other,
    }
}

fn known_issue(reason: String) -> Outcome {
    Outcome::Skipped(Skip { need: KNOWN_ISSUE.to_owned(), reason })
}

fn applies(issue: &KnownIssue, test: &Test) -> bool {
    let runtime = issue.runtime.as_ref().is_none_or(|name| name == test.runtime.name());
    let release = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
    let release = release.unwrap_or_default();
    let fits = |glob: &String| glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(&release));
    runtime && issue.kernel.as_ref().is_none_or(fits)
}
