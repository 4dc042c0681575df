//! Which breakage is likely to turn a test red: what has turned others red that ask the same; and which test a breakage: one that names the same.
//! A good guess saves sandboxes, and a bad one costs some; nothing that is found depends on it.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::findings::Claimed;
use super::ways::Sound;

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

/// By which words each test is known: what it asks and what it is called, down to the system call or the path of its row.
#[derive(Debug)]
pub(super) struct Words {
    of_tests: HashMap<usize, HashSet<String>>,
    /// How many tests have a word.
    common: HashMap<String, usize>,
}

impl Words {
    pub(super) fn of(tests: &[Sound]) -> Self {
        let all = tests.iter().map(|(place, test)| (*place, test.asks().join(" ") + " " + &test.sentence()));
        Self::in_texts(all)
    }

    fn in_texts(texts: impl Iterator<Item = (usize, String)>) -> Self {
        let of_tests: HashMap<usize, HashSet<String>> =
            texts.map(|(place, text)| (place, words(&text).map(str::to_lowercase).collect())).collect();
        let mut common: HashMap<String, usize> = HashMap::new();
        for word in of_tests.values().flatten() {
            *common.entry(word.clone()).or_default() += 1;
        }
        Self { of_tests, common }
    }

    /// Puts those tests first that share words with the breakage's name, the rarer the better; the others are in no order that a catalogue has, for
    /// neighbours ask much the same.
    pub(super) fn sort(&self, tests: &mut [usize], breakage: &str) {
        let breakage: HashSet<String> = words(breakage).map(str::to_lowercase).collect();
        let likeness = |test: &usize| -> usize {
            let own = self.of_tests.get(test).into_iter().flatten();
            own.filter(|word| breakage.contains(*word)).map(|word| RARE / self.common[word]).sum()
        };
        tests.sort_by_cached_key(|test| (Reverse(likeness(test)), test % APART));
    }
}

/// What a word weighs that only one test has.
const RARE: usize = 1 << 16;

/// How far apart tests are that are tried one after another.
const APART: usize = 16;

/// A path is one word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_alphanumeric() || "_-/.".contains(letter)))
        .filter(|word| !word.is_empty())
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
        let words = Words::in_texts(texts.iter().map(|text| (*text).to_owned()).enumerate());
        let check = |breakage: &str, first: usize| {
            let mut tests = [0, 1, 2, 3];
            words.sort(&mut tests, breakage);
            assert_eq!(tests[0], first, "{breakage}: {tests:?}");
        };
        check("seccomp init_module: allowed", 1);
        check("mask /proc/kcore: bare", 2);
        check("mount /proc: no flags", 0);
        check("capabilities: kept", 3);
        check("nothing in common", 0);
    }
}
