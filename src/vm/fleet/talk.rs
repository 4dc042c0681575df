//! What is said to one VM and heard of it: who asked for what, and what may be believed of the answers. All that the guest says was
//! perhaps written by whoever has taken it over.

use std::time::Duration;

use super::cores::Cores;
use crate::engine::Outcome;
use crate::vm::machine::{Allowance, Fate, Machine};
use crate::vm::wire::{FromGuest, Go, Summed, ToGuest, Verdict, bytes_of};

/// How long the guest may compute beside a claim's own time, and how long it may sleep.
const COMPUTING: Duration = Duration::from_secs(30);
const SLEEPING: Duration = Duration::from_secs(20);

/// A VM as the talk sees it.
pub(super) trait Guest {
    /// Tells it something.
    fn say(&mut self, message: &ToGuest) -> Result<(), Fate>;
    /// What it says next, in bounded time.
    fn hear(&mut self) -> Result<FromGuest, Fate>;
    /// Waits for its end, which it has announced.
    fn wait(&mut self) -> Result<(), Fate>;
    /// How much its kernel has said so far.
    fn said(&self) -> usize;
    /// It is at a claim that may take so long.
    fn allow(&mut self, claim: Duration);
}

/// A test that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its place in the errand.
    pub(super) at: usize,
    /// The name that the guest has for it.
    pub(super) name: String,
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Guest for Machine {
    fn say(&mut self, message: &ToGuest) -> Result<(), Fate> {
        Self::say(self, message)
    }

    fn hear(&mut self) -> Result<FromGuest, Fate> {
        Self::hear(self)
    }

    fn wait(&mut self) -> Result<(), Fate> {
        Self::wait(self)
    }

    fn said(&self) -> usize {
        self.console().len()
    }

    fn allow(&mut self, claim: Duration) {
        Self::allow(self, allowance(claim));
    }
}

/// What a VM may take that judges a claim with this time limit.
pub(super) fn allowance(claim: Duration) -> Allowance {
    let computing = COMPUTING + claim;
    Allowance { word: computing, record: computing, idle: SLEEPING + claim, said: usize::MAX }
}

/// Has the VM switched off.
pub(super) fn end(guest: &mut impl Guest) -> Result<(), Fate> {
    guest.say(&ToGuest::End)?;
    match guest.hear()? {
        FromGuest::End => guest.wait(),
        _ => garbled("something else than its end after the end"),
    }
}

/// The talk about some tests, each known by its place in the errand.
#[derive(Debug, Default)]
pub(super) struct Talk {
    nonce: String,
    /// How many were asked for.
    asked: usize,
    /// Whether core dumps were.
    wants_cores: bool,
    /// Those that are not judged yet.
    pub(super) left: Vec<Asked>,
    /// The one that is being judged.
    pub(super) begun: Option<usize>,
    /// What became of the others. It does not count before the kernel has been looked at.
    pub(super) held: Vec<(usize, Verdict)>,
    /// Core dumps, where they were asked for.
    pub(super) cores: Cores,
    /// How much the kernel had said when the last of those was told.
    pub(super) said: usize,
}

impl Talk {
    /// About these.
    pub(super) fn about(left: Vec<Asked>) -> Self {
        Self { asked: left.len(), left, ..Self::default() }
    }

    /// Asks for all, and hears of each.
    pub(super) fn hold(&mut self, guest: &mut impl Guest, go: Go) -> Result<Summed, Fate> {
        self.nonce.clone_from(&go.nonce);
        self.wants_cores = go.cores;
        self.said = guest.said();
        guest.say(&ToGuest::Go(Box::new(go)))?;
        let summed = loop {
            match guest.hear()? {
                FromGuest::Begun { nonce, test } => guest.allow(self.begin(&nonce, &test)?),
                FromGuest::Judged(verdict) => self.take(*verdict, guest.said())?,
                FromGuest::Core { nonce, name, piece } => self.take_core(&nonce, &name, &piece)?,
                FromGuest::Done(summed) => break summed,
                FromGuest::Ready(_) => return garbled("it is ready once more"),
                FromGuest::Output { .. } | FromGuest::Taken | FromGuest::Left(_) => {
                    return garbled("nobody asked for a shell");
                }
                FromGuest::Stuck(reason) => return Err(Fate::Stuck(reason)),
                FromGuest::End => {
                    return garbled(format!("it is at its end, and {} tests are left", self.left.len()));
                }
            }
        };
        self.sum_up(&summed)?;
        Ok(summed)
    }

    /// How long it may take.
    fn begin(&mut self, nonce: &str, test: &str) -> Result<Duration, Fate> {
        self.know(nonce)?;
        if self.begun.is_some() {
            return garbled(format!("`{}` began before the last one was judged", shown(test)));
        }
        let asked = self.find(test)?;
        self.begun = Some(asked.at);
        Ok(asked.limit)
    }

    fn take(&mut self, mut verdict: Verdict, said: usize) -> Result<(), Fate> {
        self.know(&verdict.nonce)?;
        let at = self.find(&verdict.test)?.at;
        let begun = self.begun == Some(at) || self.begun.is_none() && is_untried(&verdict);
        if !begun {
            return garbled(format!("a verdict on `{}`, which has not begun", shown(&verdict.test)));
        }
        self.left.retain(|left| left.at != at);
        self.begun = None;
        self.said = said;
        if let Outcome::Failed(trouble) | Outcome::Broken(trouble) | Outcome::Crashed(trouble) =
            &mut verdict.outcome
        {
            // Its evidence is not on this machine.
            trouble.kept = None;
        }
        self.held.push((at, verdict));
        Ok(())
    }

    fn take_core(&mut self, nonce: &str, name: &str, piece: &str) -> Result<(), Fate> {
        self.know(nonce)?;
        if !self.wants_cores {
            return garbled("nobody asked for core dumps");
        }
        self.cores.take(name, &bytes_of(piece)).map_err(Fate::Garbled)
    }

    fn sum_up(&self, summed: &Summed) -> Result<(), Fate> {
        self.know(&summed.nonce)?;
        if summed.trouble.is_some() {
            return Ok(());
        }
        match (self.left.len(), summed.tests) {
            (0, tests) if tests == self.asked => Ok(()),
            (0, tests) => garbled(format!("it has judged {tests} tests, and was asked for {}", self.asked)),
            (left, _) => garbled(format!("it is done, and {left} tests are left")),
        }
    }

    fn know(&self, nonce: &str) -> Result<(), Fate> {
        if nonce == self.nonce { Ok(()) } else { garbled("an answer to somebody else's question") }
    }

    /// A test that is not judged yet.
    fn find(&self, name: &str) -> Result<Asked, Fate> {
        let found = self.left.iter().find(|left| left.name == name).cloned();
        found.map_or_else(
            || garbled(format!("nobody asked for `{}`, or it was judged already", shown(name))),
            Ok,
        )
    }
}

/// Whether it says of a test that it was not even tried, and so has not begun.
const fn is_untried(verdict: &Verdict) -> bool {
    matches!(verdict.outcome, Outcome::Skipped(_) | Outcome::Broken(_))
}

fn garbled<T>(what: impl Into<String>) -> Result<T, Fate> {
    Err(Fate::Garbled(what.into()))
}

/// The beginning of a name that may be as long as a record.
fn shown(name: &str) -> String {
    name.chars().take(200).collect()
}
