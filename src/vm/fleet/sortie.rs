//! One VM sent out with the tests of a scenario: what it is asked, and what comes of the answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::complaints::{complained, complaint};
use super::errand::{Images, ended};
use super::kernels::Isolation;
use super::pool::Manned;
use super::readied::Readied;
use super::talk::{self, Asked, Talk, allowance};
use crate::engine::{Errand, News, Outcome, Trouble};
use crate::fact::Ended;
use crate::plan::{KNOWN_ISSUE, Skip, Test};
use crate::spec::TIMEOUT;
use crate::sys;
use crate::vm::kernel::Kernel;
use crate::vm::machine::Fate;
use crate::vm::wire::{Go, Summed, Verdict};

/// One VM sent out with tests.
pub(super) struct Sortie<'a> {
    pub(super) errand: &'a Errand<'a>,
    pub(super) readied: &'a Readied,
    pub(super) images: &'a Images,
    pub(super) kernel: &'a Kernel,
    pub(super) isolation: Isolation,
}

/// How a sortie ended.
pub(super) struct Return {
    pub(super) end: End,
    /// What the kernel complained of.
    pub(super) complaint: Option<String>,
    /// Whether there was a verdict on each of the tests.
    pub(super) all_judged: bool,
}

pub(super) enum End {
    /// All were judged.
    Whole(Summed),
    /// The VM did not come back; with what its kernel said since it was sent out.
    Lost(Fate, String),
    /// The guest could not judge them.
    Refused(String),
}

impl Sortie<'_> {
    /// Has these tests of the errand judged, tells what became of them, and gives those that are left for another VM.
    pub(super) fn run(&self, tests: &[usize], unprivileged: bool, told: &mut dyn FnMut(News)) -> Vec<usize> {
        let asked = |at: &usize| {
            let test = &self.errand.tests[*at].1;
            Asked { at: *at, name: guest_name(test, self.errand.kernel), limit: limit(test) }
        };
        let mut talk = Talk::about(tests.iter().map(asked).collect());
        if let Some(first) = tests.first() {
            self.readied.announce(&self.errand.tests[*first].1);
        }
        let how = match self.start() {
            Ok(manned) => self.send(manned, &mut talk, tests, unprivileged),
            Err(fate) => Return { end: End::Lost(fate, String::new()), complaint: None, all_judged: false },
        };
        self.finish(how, talk, told)
    }

    fn start(&self) -> Result<Manned, Fate> {
        // Until the first claim begins.
        let allowed = allowance(TIMEOUT);
        let started = match self.isolation {
            Isolation::Boot => self.readied.boot(self.errand.nursery, allowed),
            Isolation::Fresh => self.readied.restore(self.errand.nursery, Some(allowed)),
            Isolation::Shared => {
                if let Some(mut manned) = self.readied.pool.take() {
                    manned.machine.allow(allowed);
                    return Ok(manned);
                }
                self.readied.restore(self.errand.nursery, Some(allowed))
            }
        };
        started.map(Manned::new).inspect_err(|_| self.readied.spoil())
    }

    fn send(&self, manned: Manned, talk: &mut Talk, tests: &[usize], unprivileged: bool) -> Return {
        let Manned { mut machine, mark } = manned;
        let go = self.go(tests, unprivileged).map_err(Fate::NotStarted);
        let mut held = go.and_then(|go| talk.hold(&mut machine, go));
        if self.isolation != Isolation::Shared {
            held = held.and_then(|summed| talk::end(&mut machine).map(|()| summed));
        }
        self.readied.leave_cores(&self.errand.tests[tests[0]].1, &talk.cores);
        let said = machine.console().since(mark);
        let all_judged = talk.left.is_empty();
        let (mut counts, mut tainted) = (said.clone(), (0, 0));
        let end = match held {
            Err(fate) => {
                if !all_judged {
                    // What came after the last verdict belongs to the test that was being judged.
                    counts = until_death(machine.console().between(mark, talk.said));
                }
                End::Lost(fate, said)
            }
            Ok(Summed { trouble: Some(trouble), .. }) => End::Refused(trouble),
            Ok(summed) => {
                tainted = summed.tainted;
                End::Whole(summed)
            }
        };
        let complaint = complaint(&counts, tainted, &self.kernel.allowed_messages);
        if self.isolation == Isolation::Shared && matches!(end, End::Whole(_)) && complaint.is_none() {
            self.readied.pool.put(Manned::new(machine));
        }
        Return { end, complaint, all_judged }
    }

    fn go(&self, tests: &[usize], unprivileged: bool) -> Result<Go, String> {
        let (_, test) = &self.errand.tests[tests[0]];
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        Ok(Go {
            nonce: random()?,
            clock: clock(),
            seed: seed()?,
            unprivileged,
            cores: self.readied.wants_cores(),
            spec: read(&test.spec.path)?,
            name: test.spec.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            prefix: self.errand.prefix.to_owned(),
            beside: beside(test, read)?,
            images: self.images.places(),
            runtime: test.runtime.name().to_owned(),
            tests: tests.iter().map(|at| guest_name(&self.errand.tests[*at].1, self.errand.kernel)).collect(),
        })
    }

    /// Tells what became of the tests, and gives those that are left for another VM.
    fn finish(&self, how: Return, talk: Talk, told: &mut dyn FnMut(News)) -> Vec<usize> {
        let Talk { left, begun, held, .. } = talk;
        let mut left: Vec<usize> = left.into_iter().map(|left| left.at).collect();
        for (at, verdict) in held {
            self.tell(at, verdict, &how, told);
        }
        let (outcome, costs) = match how.end {
            End::Whole(summed) => {
                told(News::Sandboxes(summed.sandboxes.0, summed.sandboxes.1));
                return left;
            }
            End::Lost(fate, said) => {
                let reason = format!("{fate}\n{}", tail(&said));
                (crashed(&fate, Trouble::saying(reason.trim_end())), begun)
            }
            End::Refused(trouble) => {
                let reason = format!("the guest could not judge it: {trouble}");
                (Outcome::Broken(Trouble::saying(reason)), None)
            }
        };
        // It costs the test that was being judged; where none was, all of them.
        let costs = costs.map_or_else(|| std::mem::take(&mut left), |at| vec![at]);
        left.retain(|at| !costs.contains(at));
        for at in costs {
            told(ended(self.errand.tests[at].0, outcome.clone()));
        }
        left
    }

    /// What became of a test on which there is a verdict.
    fn tell(&self, at: usize, verdict: Verdict, how: &Return, told: &mut dyn FnMut(News)) {
        let (place, test) = &self.errand.tests[at];
        let outcome = known(how.believed(verdict.outcome), self.kernel, test);
        let took = Duration::from_millis(verdict.milliseconds);
        told(News::Ended { place: *place, outcome, observed: verdict.observed, took });
    }
}

impl Return {
    /// What a verdict is worth after all.
    pub(super) fn believed(&self, outcome: Outcome) -> Outcome {
        match (&self.end, &outcome) {
            // Who has lied once is not believed.
            (End::Lost(fate @ Fate::Garbled(_), _), _) => Outcome::Broken(Trouble::saying(fate)),
            // Nobody else can have been at fault, and nothing says that it was not this one.
            (End::Lost(fate, said), Outcome::Passed) if self.all_judged && self.complaint.is_none() => {
                let reason = format!("all was judged, and then {fate}\n{}", tail(said));
                crashed(fate, Trouble::saying(reason.trim_end()))
            }
            _ => complained(outcome, self.complaint.as_ref()),
        }
    }
}

/// What a kernel said before it died: whoever was judged, was judged before that.
fn until_death(mut said: String) -> String {
    if let Some(at) = said.find("Kernel panic") {
        said.truncate(at);
    }
    said
}

/// The time limit of a claim.
fn limit(test: &Test) -> Duration {
    test.claim().about.timeout.or(test.scenario().about.timeout).unwrap_or(TIMEOUT)
}

/// What is known of the kernel not to hold.
fn known(outcome: Outcome, kernel: &Kernel, test: &Test) -> Outcome {
    let Outcome::Failed(_) = &outcome else { return outcome };
    let sentence = test.sentence();
    let reason = kernel.known_issues.iter().find_map(|issue| issue.reason(&sentence));
    reason.map_or(outcome, |reason| Outcome::Skipped(Skip { need: KNOWN_ISSUE.to_owned(), reason }))
}

/// A kernel that died or hangs has crashed; what else went wrong says nothing of it, as that somebody has killed QEMU.
fn crashed(fate: &Fate, trouble: Trouble) -> Outcome {
    match fate {
        Fate::Ended(None | Some(Ended::Exited(_)), _) | Fate::Hung(_) => Outcome::Crashed(trouble),
        Fate::Ended(Some(Ended::Signaled(_)), _)
        | Fate::NotStarted(_)
        | Fate::Starved(_)
        | Fate::Garbled(_)
        | Fate::Stuck(_) => Outcome::Broken(trouble),
    }
}

/// A test's name without the kernel, which the guest knows nothing of.
fn guest_name(test: &Test, kernel: &str) -> String {
    test.name
        .strip_suffix(&format!(" on {kernel}]"))
        .map_or_else(|| test.name.clone(), |name| format!("{name}]"))
}

/// The host's time, in seconds and nanoseconds since 1970.
pub(super) fn clock() -> (i64, i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(now.as_secs()).unwrap_or(0), now.subsec_nanos().into())
}

/// What makes a VM's random numbers its own.
pub(super) fn seed() -> Result<String, String> {
    Ok(random()? + &random()?)
}

fn random() -> Result<String, String> {
    sys::random_word().map_err(|failure| failure.to_string())
}

/// The files that the spec's settings name.
pub(crate) fn beside(
    test: &Test,
    read: impl Fn(&Path) -> Result<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    for scenario in &test.spec.scenarios {
        for settings in
            scenario.sandboxes.values().chain(scenario.claims.iter().filter_map(|claim| claim.with.as_ref()))
        {
            for name in settings.files_beside() {
                for (name, path) in files_of(name, &test.directory().join(name))? {
                    files.insert(name, read(&path)?);
                }
            }
        }
    }
    Ok(files)
}

/// A file by its name, or those in a folder.
fn files_of(name: &str, path: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    if !path.is_dir() {
        return Ok(vec![(name.to_owned(), path.to_owned())]);
    }
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            let inside = Path::new(name).join(path.file_name().unwrap_or_default());
            files.push((inside.to_string_lossy().into_owned(), path));
        }
    }
    Ok(files)
}

/// The last lines of what a kernel said.
pub(super) fn tail(console: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = console.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
