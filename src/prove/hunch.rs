//! Which breakage is likely to turn a test red: what has turned others red that ask the same. A good guess saves sandboxes, and a bad one costs some;
//! nothing that is found depends on it.

use std::cmp::Reverse;
use std::collections::HashMap;

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
}
