//! Where the rounds stand: what there is to be tried, and what is still open.

use std::collections::{BTreeSet, HashSet};

use super::{Cell, Rounds};
use crate::plan::Group;
use crate::prove::findings::{Caught, Claimed, Left, Verdict};
use crate::prove::proof::Extent;

impl Rounds<'_> {
    /// Whether it is red where nothing is left of a sandbox.
    pub(super) fn fails_without(&self, test: usize) -> bool {
        self.told().findings.claims[test].caught().any(|way| self.ways[way].kind == Left::Nothing)
    }

    /// Each test that is judged in any way.
    pub(super) fn places(&self) -> BTreeSet<usize> {
        self.tests_of.iter().flatten().copied().collect()
    }

    /// The breakages of one thing that can be tried on any of these.
    pub(super) fn ways_of(&self, group: &Group) -> Vec<usize> {
        let can = |way: usize| group.entries.iter().any(|test| self.tests_of[way].contains(test));
        (0..self.ways.len()).filter(|way| self.is_one_off(*way) && can(*way)).collect()
    }

    pub(super) fn wants_all(&self) -> bool {
        self.told().findings.extent == Extent::Matrix
    }

    pub(super) fn is_one_off(&self, way: usize) -> bool {
        self.ways[way].kind == Left::AllButOne
    }

    /// The tests that none of the breakages of one thing has turned red, but must be turned red by one.
    pub(super) fn open(&self) -> HashSet<usize> {
        let all = self.wants_all();
        let red = |claim: &Claimed| claim.caught().any(|way| self.is_one_off(way));
        let open = |claim: &Claimed| all || !(claim.holds_anywhere || red(claim));
        let claims = &self.told().findings.claims;
        (0..claims.len()).filter(|test| open(&claims[*test])).collect()
    }

    /// The breakages that no test has caught.
    pub(super) fn missed(&self) -> HashSet<usize> {
        let findings = &self.told().findings;
        let missed = |way: &usize| !matches!(findings.caught(*way), Caught::By(_));
        (0..self.ways.len()).filter(|way| self.is_one_off(*way) && missed(way)).collect()
    }

    /// What passed in company, and would be complained of.
    pub(super) fn complaints(&self) -> HashSet<Cell> {
        let (vacuous, missed) = (self.vacuous(), self.missed());
        let complained = |(way, test): &Cell| vacuous.contains(test) || missed.contains(way);
        let in_company = |(way, test): &Cell| self.is_one_off(*way) && self.company.mingles(*test);
        self.tried_cells().into_iter().filter(|cell| complained(cell) && in_company(cell)).collect()
    }

    pub(super) fn vacuous(&self) -> HashSet<usize> {
        let findings = &self.told().findings;
        let vacuous = |claim: &Claimed| {
            [Verdict::Vacuous, Verdict::Withheld].contains(&claim.verdict(&findings.breakages))
        };
        (0..findings.claims.len()).filter(|test| vacuous(&findings.claims[*test])).collect()
    }

    pub(super) fn tried_cells(&self) -> HashSet<Cell> {
        let told = self.told();
        let claims = told.findings.claims.iter().enumerate();
        claims.flat_map(|(test, claim)| claim.tried.iter().map(move |(way, _)| (*way, test))).collect()
    }
}
