//! Which breakage is likely to turn a test red: what has turned others red that ask the same; and which test a breakage: one that names the same.
//! A good guess saves sandboxes, and a bad one costs some; nothing that is found depends on it.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::findings::Claimed;
use super::ways::Sound;
use crate::plan::Test;

/// What a test asks, with the argument and without: the more it has in common with another, the likelier both are caught by the same.
type Question = String;

/// What each test asks, by its place.
#[derive(Debug)]
pub(super) struct Questions(HashMap<usize, Vec<Question>>);

impl Questions {
    pub(super) fn of(tests: &[Sound]) -> Self {
        Self(tests.iter().map(|(place, test)| (*place, test.asks())).collect())
    }

    /// What is known by now.
    pub(super) fn hunches(&self, claims: &[Claimed]) -> Hunches<'_> {
        let mut reds: HashMap<&Question, HashMap<usize, usize>> = HashMap::new();
        for (place, questions) in &self.0 {
            for way in claims[*place].caught() {
                for question in questions {
                    *reds.entry(question).or_default().entry(way).or_default() += 1;
                }
            }
        }
        Hunches { questions: self, reds }
    }
}

/// How often each way has turned red who asked a question.
#[derive(Debug)]
pub(super) struct Hunches<'a> {
    questions: &'a Questions,
    reds: HashMap<&'a Question, HashMap<usize, usize>>,
}

impl Hunches<'_> {
    /// Puts the ways first that are likely to turn one of these tests red.
    pub(super) fn sort(&self, ways: &mut [usize], tests: &[usize]) {
        let asked = tests.iter().filter_map(|test| self.questions.0.get(test)).flatten();
        let known: Vec<&HashMap<usize, usize>> =
            asked.filter_map(|question| self.reds.get(question)).collect();
        ways.sort_by_key(|way| Reverse(known.iter().filter_map(|reds| reds.get(way)).sum::<usize>()));
    }
}

/// How much each test and each breakage have in common by their words: what a test asks and what it is called, down to the system call or
/// the path of its row, and the breakage's name.
#[derive(Debug)]
pub(super) struct Words {
    /// By way, then by test; what is not there is nothing.
    likeness: Vec<HashMap<usize, usize>>,
}

impl Words {
    /// The breakages are those with these names.
    pub(super) fn of<'a>(tests: &[Sound], names: impl Iterator<Item = &'a str>) -> Self {
        let text = |test: &Test| test.asks().join(" ") + " " + &test.sentence();
        Self::in_texts(tests.iter().map(|(place, test)| (*place, text(test))), names)
    }

    fn in_texts<'a>(
        texts: impl Iterator<Item = (usize, String)>,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut tests_with: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, text) in texts {
            for word in words(&text) {
                tests_with.entry(word).or_default().push(place);
            }
        }
        let likeness = |name: &str| {
            let mut likeness = HashMap::new();
            for tests in words(name).iter().filter_map(|word| tests_with.get(word)) {
                for test in tests {
                    *likeness.entry(*test).or_default() += RARE / tests.len();
                }
            }
            likeness
        };
        Self { likeness: names.map(likeness).collect() }
    }

    fn likeness(&self, way: usize, test: usize) -> usize {
        self.likeness[way].get(&test).copied().unwrap_or_default()
    }

    /// Puts those tests first that share words with a breakage's name, the rarer the better; the others are in no order that a catalogue has, for
    /// neighbours ask much the same.
    pub(super) fn sort_tests(&self, tests: &mut [usize], way: usize) {
        tests.sort_by_cached_key(|test| (Reverse(self.likeness(way, *test)), test % APART));
    }

    /// Puts those ways first whose names share words with these tests.
    pub(super) fn sort_ways(&self, ways: &mut [usize], tests: &[usize]) {
        let likeness = |way: usize| tests.iter().map(|test| self.likeness(way, *test)).sum::<usize>();
        ways.sort_by_cached_key(|way| Reverse(likeness(*way)));
    }
}

/// What a word weighs that only one test has.
const RARE: usize = 1 << 16;

/// How far apart tests are that are tried one after another.
const APART: usize = 16;

/// Each word once. A path is one.
fn words(text: &str) -> HashSet<String> {
    text.split(|letter: char| !(letter.is_alphanumeric() || "_-/.".contains(letter)))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ended;

    fn claim(caught: &[usize]) -> Claimed {
        Claimed {
            name: String::new(),
            file: std::path::PathBuf::new(),
            line: 0,
            sound: Ended::Passed,
            reason: None,
            holds_anywhere: false,
            withheld: None,
            tried: caught.iter().map(|way| (*way, Ended::Failed)).collect(),
        }
    }

    #[test]
    fn what_caught_others_that_ask_the_same_comes_first() {
        let asks = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let questions = Questions(HashMap::from([
            (0, asks(&["paths", "paths /a"])),
            (1, asks(&["paths", "paths /b"])),
            (2, asks(&["paths", "paths /b"])),
            (3, asks(&["pid"])),
        ]));
        let claims = [claim(&[5]), claim(&[7]), claim(&[]), claim(&[9])];
        let hunches = questions.hunches(&claims);
        let mut ways = [4, 5, 7, 9];
        hunches.sort(&mut ways, &[2]);
        assert_eq!(ways, [7, 5, 4, 9], "the more in common, the earlier; the others as they were");
    }

    #[test]
    fn what_names_a_breakage_is_tried_under_it_first() {
        let texts = [
            "cannot be called (call=mount)",
            "cannot be called (call=init_module)",
            "paths /proc/kcore hides /proc/kcore",
            "capabilities are few",
        ];
        let texts = texts.iter().map(|text| (*text).to_owned()).enumerate();
        let names = [
            ("seccomp init_module: allowed", 1),
            ("mask /proc/kcore: bare", 2),
            ("mount /proc: no flags", 0),
            ("capabilities: kept", 3),
            ("nothing in common", 0),
        ];
        let words = Words::in_texts(texts, names.iter().map(|(name, _)| *name));
        for (way, (name, first)) in names.into_iter().enumerate() {
            let mut tests = [0, 1, 2, 3];
            words.sort_tests(&mut tests, way);
            assert_eq!(tests[0], first, "{name}: {tests:?}");
        }
        let mut ways = [0, 1, 2, 3, 4];
        words.sort_ways(&mut ways, &[2, 3]);
        assert_eq!(ways, [1, 3, 0, 2, 4], "the rarer, the earlier; the others as they were");
    }
}
