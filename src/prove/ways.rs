//! In which ways sandboxes are broken, and which tests are judged again in them.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::findings::Left;
use crate::plan::{Plan, Test};
use crate::sandbox::native::Breakage;
use crate::sandbox::{self, Runtime};

/// The null of no sandbox at all.
pub(super) const NONE: &str = "no sandbox at all";

/// The null of nothing but another root.
pub(super) const CHROOT: &str = "a bare chroot with the host's /proc, /sys and /dev";

/// A way of making sandboxes in which nothing, or not everything, holds.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: String,
    /// What it leaves of a sandbox.
    pub(super) kind: Left,
    /// By this runtime instead of the test's own.
    pub(super) runtime: Option<&'static dyn Runtime>,
    /// Broken so: what has one name may be done in several ways, each to other tests.
    pub(super) variants: Vec<Variant>,
}

/// One way of breaking, and the tests that it can be tried on, by their places in the plan.
pub(super) type Variant = (Option<Breakage>, Vec<usize>);

/// A test that can be proven, with its place in the plan.
pub(super) type Sound = (usize, Test);

/// All ways: the nulls, then whatever can be broken of any of these tests' sandboxes.
pub(super) fn ways(sound: &[Sound]) -> Vec<Way> {
    let mut ways = nulls(sound);
    ways.extend(one_off(sound));
    ways
}

/// What is no sandbox. Claims that act are not judged where they would act on the host.
pub(super) fn nulls(sound: &[Sound]) -> Vec<Way> {
    let places = |wanted: &dyn Fn(&Test) -> bool| {
        sound.iter().filter(|(_, test)| wanted(test)).map(|(place, _)| *place).collect()
    };
    let by = |kind: Left, (name, runtime): (&str, &'static dyn Runtime)| Way {
        name: name.to_owned(),
        kind,
        runtime: Some(runtime),
        variants: vec![(None, places(&|test| runtime.isolates() || test.only_observes()))],
    };
    let mut ways: Vec<Way> = sandbox::nulls().into_iter().map(|null| by(Left::Nothing, null)).collect();
    ways.extend(sandbox::pretenders().into_iter().map(|pretender| by(Left::Pretence, pretender)));
    ways.extend(sandbox::by_name("native").map(|native| Way {
        variants: vec![(Some(Breakage::bare_chroot()), places(&|_| true))],
        ..by(Left::Nothing, (CHROOT, native))
    }));
    ways
}

/// Each breakage of one thing, with the tests one of whose sandboxes can be broken so.
fn one_off(sound: &[Sound]) -> Vec<Way> {
    let mut ways: IndexMap<String, IndexMap<Breakage, Vec<usize>>> = IndexMap::new();
    breakable(sound, |place, test, breakage| {
        if !exposes(test, breakage) {
            let variants = ways.entry(breakage.name.clone()).or_default();
            variants.entry(breakage.clone()).or_default().push(place);
        }
    });
    let some = |(breakage, tests): (Breakage, Vec<usize>)| (Some(breakage), tests);
    let way = |(name, variants): (String, IndexMap<Breakage, Vec<usize>>)| Way {
        name,
        kind: Left::AllButOne,
        runtime: None,
        variants: variants.into_iter().map(some).collect(),
    };
    ways.into_iter().map(way).collect()
}

/// The tests on which a breakage is not tried, since what they do would reach the host's files, and the breakage's name.
pub(super) fn withheld(sound: &[Sound]) -> Vec<(usize, String)> {
    let mut withheld = Vec::new();
    breakable(sound, |place, test, breakage| {
        if exposes(test, breakage) {
            withheld.push((place, breakage.name.clone()));
        }
    });
    withheld
}

/// Each breakage of each test's sandboxes.
fn breakable(sound: &[Sound], mut found: impl FnMut(usize, &Test, &Breakage)) {
    let mut known: HashMap<String, Vec<Breakage>> = HashMap::new();
    for (place, test) in sound {
        for breakage in known.entry(test.made_from()).or_insert_with(|| breakages(test)) {
            found(*place, test, breakage);
        }
    }
}

fn breakages(test: &Test) -> Vec<Breakage> {
    let directory = test.directory();
    let mut all: Vec<Breakage> = Vec::new();
    for (_, settings) in test.settings() {
        let new = test.runtime.breakages(&settings, directory);
        all.extend(new.into_iter().filter(|breakage| !all.contains(breakage)).collect::<Vec<_>>());
    }
    all
}

/// What acts may not reach the host's files.
fn exposes(test: &Test, breakage: &Breakage) -> bool {
    let exposes = |settings| test.runtime.exposes_host(&settings, test.directory(), breakage);
    !test.only_observes() && test.settings().into_iter().any(|(_, settings)| exposes(settings))
}

/// The tests of a plan that passed, opened.
pub(super) fn open(plan: &Plan, passed: &[usize]) -> Vec<Sound> {
    passed.iter().filter_map(|place| Some((*place, plan.entries[*place].open().ok()?))).collect()
}
