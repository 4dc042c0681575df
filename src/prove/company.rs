//! Which tests are judged in one sandbox, one after another.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::ways::Sound;
use crate::plan::{Group, Test};

/// What is known of each test that its company depends on. Sandboxes are what a proof costs: thousands of them are broken, each
/// for all the tests that it can serve, even those of other scenarios, if they are made of the same settings.
#[derive(Debug)]
pub(super) struct Company {
    made_from: HashMap<usize, String>,
    /// Those that do something.
    doing: HashSet<usize>,
    /// Those that change their sandboxes by it, or by what they attempt.
    acting: HashSet<usize>,
    /// Those that do not pass after others.
    loners: HashSet<usize>,
}

impl Company {
    pub(super) fn of(tests: &[Sound]) -> Self {
        let those = |wanted: &dyn Fn(&Test) -> bool| {
            tests.iter().filter(|(_, test)| wanted(test)).map(|(place, _)| *place).collect()
        };
        Self {
            made_from: tests.iter().map(|(place, test)| (*place, test.made_from())).collect(),
            doing: those(&Test::does_something),
            acting: those(&|test| !test.leaves_as_it_was()),
            loners: HashSet::new(),
        }
    }

    /// Henceforth this test has its sandboxes to itself.
    pub(super) fn part(&mut self, place: usize) {
        self.loners.insert(place);
    }

    /// Whether it does more than look.
    pub(super) fn does_something(&self, place: usize) -> bool {
        self.doing.contains(&place) || self.acts(place)
    }

    fn acts(&self, place: usize) -> bool {
        self.acting.contains(&place)
    }

    /// Whether it is judged in sandboxes on which others have acted, when they are [together](Self::together).
    pub(super) fn mingles(&self, place: usize) -> bool {
        self.acts(place) && !self.loners.contains(&place)
    }

    /// Those that only look share sandboxes; each that acts has its own.
    pub(super) fn apart(&self, tests: &[usize]) -> Vec<Group> {
        self.groups(tests, |place| !self.acts(place) && !self.loners.contains(&place))
    }

    /// First those that only look, then, in the same sandboxes, those that act.
    pub(super) fn together(&self, tests: &[usize]) -> Vec<Group> {
        let (acting, looking): (Vec<usize>, Vec<usize>) = tests.iter().partition(|place| self.acts(**place));
        let in_order: Vec<usize> = looking.into_iter().chain(acting).collect();
        self.groups(&in_order, |place| !self.loners.contains(&place))
    }

    fn groups(&self, tests: &[usize], shares: impl Fn(usize) -> bool) -> Vec<Group> {
        let mut groups: IndexMap<String, Group> = IndexMap::new();
        for place in tests {
            let shared = self.made_from.get(place).filter(|_| shares(*place));
            let key = shared.cloned().unwrap_or_else(|| place.to_string());
            groups.entry(key).or_default().entries.push(*place);
        }
        groups.into_values().collect()
    }
}
