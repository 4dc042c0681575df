//! Guests that lie: what they say comes over real lines, and nothing of it passes.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use super::sortie::{End, Return};
use super::talk::{Asked, Guest, Talk, end};
use crate::engine::{Outcome, Trouble};
use crate::plan::Skip;
use crate::spec::TIMEOUT;
use crate::sys::pipe::set_nonblocking;
use crate::vm::machine::{Fate, Lines};
use crate::vm::wire::{FromGuest, Go, Summed, ToGuest, Verdict, Writer};

const NONCE: &str = "the word that was given";

/// A guest that says the same whatever it is asked.
struct Scripted {
    lines: Lines,
    speakers: Vec<JoinHandle<()>>,
}

impl Scripted {
    /// It says this on its console until that is at its end, and then this in records.
    fn new(console: impl FnOnce(&mut UnixStream) + Send + 'static, records: Vec<u8>) -> Self {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (results, mut writer) = UnixStream::pair().unwrap();
        let ends = [ours, results].map(OwnedFd::from);
        for end in &ends {
            set_nonblocking(end).unwrap();
        }
        let [ours, results] = ends;
        let speaker = std::thread::spawn(move || {
            console(&mut theirs);
            // The host may have heard enough.
            let _ = writer.write_all(&records);
        });
        Self { lines: Lines::new(ours, results, 0), speakers: vec![speaker] }
    }
}

impl Guest for Scripted {
    fn say(&mut self, _: &ToGuest) -> Result<(), Fate> {
        Ok(())
    }

    fn hear(&mut self) -> Result<FromGuest, Fate> {
        loop {
            if let Some(heard) = self.lines.next() {
                return heard.map_err(Fate::Garbled);
            }
            if !self.lines.listen().goes_on {
                self.lines.drain_console();
                return Err(Fate::Ended(None, String::new()));
            }
        }
    }

    fn wait(&mut self) -> Result<(), Fate> {
        Ok(())
    }

    fn said(&self) -> usize {
        self.lines.text().len()
    }

    fn allow(&mut self, claim: Duration) {
        assert_eq!(claim, TIMEOUT);
    }
}

fn go() -> Go {
    Go {
        nonce: NONCE.to_owned(),
        clock: (0, 0),
        seed: String::new(),
        unprivileged: false,
        cores: false,
        spec: String::new(),
        name: String::new(),
        prefix: String::new(),
        beside: std::collections::BTreeMap::new(),
        images: std::collections::BTreeMap::new(),
        runtime: String::new(),
        tests: Vec::new(),
    }
}

fn begun(test: &str) -> FromGuest {
    FromGuest::Begun { nonce: NONCE.to_owned(), test: test.to_owned() }
}

fn verdict(test: &str, outcome: Outcome) -> FromGuest {
    FromGuest::Judged(Box::new(Verdict {
        nonce: NONCE.to_owned(),
        test: test.to_owned(),
        outcome,
        observed: crate::judge::Observations::default(),
        milliseconds: 1,
    }))
}

fn passed(test: &str) -> FromGuest {
    verdict(test, Outcome::Passed)
}

fn done(tests: usize) -> FromGuest {
    FromGuest::Done(Summed {
        nonce: NONCE.to_owned(),
        tests,
        sandboxes: (1, 0),
        tainted: (0, 0),
        trouble: None,
    })
}

fn written(messages: &[FromGuest]) -> Vec<u8> {
    let mut writer = Writer::default();
    messages.iter().flat_map(|message| writer.record(message).unwrap()).collect()
}

fn asked((at, name): (usize, &str)) -> Asked {
    Asked { at, name: name.to_owned(), limit: TIMEOUT }
}

/// What comes of a talk about `one` and `two`.
fn talk(guest: &mut Scripted) -> (Result<Summed, Fate>, Talk) {
    let mut talk = Talk::about([(0, "one"), (1, "two")].map(asked).to_vec());
    let came = talk.hold(guest, go()).and_then(|summed| end(guest).map(|()| summed));
    (came, talk)
}

/// It is not believed, for this reason, and nothing that it said before is.
fn refused(records: Vec<u8>, expected: &str) {
    let (came, talk) = talk(&mut Scripted::new(|_| {}, records));
    let fate = came.unwrap_err();
    assert!(
        matches!(&fate, Fate::Garbled(_)) && fate.to_string().contains(expected),
        "{fate} for {expected}"
    );
    let all_judged = talk.left.is_empty();
    let how = Return { end: End::Lost(fate, String::new()), complaint: None, all_judged };
    for (_, verdict) in talk.held {
        assert!(matches!(how.believed(verdict.outcome), Outcome::Broken(_)), "{expected}");
    }
}

#[test]
fn who_tells_the_truth_is_believed() {
    let skip = Skip { need: "landlock >= 9".to_owned(), reason: "it is 3".to_owned() };
    // What is skipped has never begun.
    let honest =
        [verdict("two", Outcome::Skipped(skip)), begun("one"), passed("one"), done(2), FromGuest::End];
    let (came, talk) = talk(&mut Scripted::new(|_| {}, written(&honest)));
    assert_eq!((came.unwrap().tests, talk.held.len(), talk.left.len()), (2, 2, 0));
}

#[test]
fn verdicts_out_of_turn_are_refused() {
    let check = |messages: &[FromGuest], expected: &str| refused(written(messages), expected);
    check(&[begun("one"), passed("one"), passed("one")], "nobody asked for `one`, or it was judged already");
    check(&[begun("one"), passed("one"), begun("one")], "nobody asked for `one`, or it was judged already");
    check(&[begun("three")], "nobody asked for `three`");
    check(&[begun("one"), passed("three")], "nobody asked for `three`");
    check(&[passed("one")], "a verdict on `one`, which has not begun");
    check(&[begun("one"), passed("two")], "a verdict on `two`, which has not begun");
    check(&[begun("one"), verdict("two", Outcome::Broken(Trouble::default()))], "which has not begun");
    check(&[begun("one"), begun("two")], "`two` began before the last one was judged");
    check(&[verdict("one", Outcome::Failed(Trouble::default()))], "which has not begun");
}

#[test]
fn an_end_that_is_none_is_refused() {
    let check = |messages: &[FromGuest], expected: &str| {
        let all = [[begun("one"), passed("one")].as_slice(), messages].concat();
        refused(written(&all), expected);
    };
    check(&[done(2)], "it is done, and 1 tests are left");
    check(&[done(1)], "it is done, and 1 tests are left");
    check(&[FromGuest::End], "it is at its end, and 1 tests are left");
    check(&[begun("two"), passed("two"), done(1)], "it has judged 1 tests, and was asked for 2");
    check(&[begun("two"), passed("two"), done(2), done(2)], "something else than its end");
    check(&[begun("two"), passed("two"), FromGuest::End], "it is at its end, and 0 tests are left");
    let core = FromGuest::Core { nonce: NONCE.to_owned(), name: "core".to_owned(), piece: String::new() };
    check(&[core], "nobody asked for core dumps");
    check(&[FromGuest::Ready(crate::vm::wire::KernelFacts::default())], "it is ready once more");
}

/// Whatever was written before the word was given, or for somebody else, does not have it.
#[test]
fn a_foreign_nonce_is_refused() {
    let other = || "another".to_owned();
    let messages = [
        FromGuest::Begun { nonce: other(), test: "one".to_owned() },
        FromGuest::Done(Summed {
            nonce: other(),
            tests: 2,
            sandboxes: (0, 0),
            tainted: (0, 0),
            trouble: Some("none can be judged".to_owned()),
        }),
    ];
    for message in messages {
        refused(written(&[message]), "an answer to somebody else's question");
    }
    let FromGuest::Judged(mut verdict) = passed("one") else { unreachable!() };
    verdict.nonce = String::new();
    refused(written(&[begun("one"), FromGuest::Judged(verdict)]), "an answer to somebody else's question");
}

#[test]
fn records_that_are_none_are_refused() {
    let [first, second] = [begun("one"), passed("one")].map(|message| written(&[message]));
    // Both have the number 1.
    refused([first.as_slice(), &second].concat(), "record 1 after record 1");
    let whole = written(&[begun("one"), passed("one"), begun("two")]);
    refused(whole[first.len()..].to_vec(), "record 2 after record 0");
    let mut damaged = whole.clone();
    damaged[first.len() + 30] ^= 1;
    refused(damaged, "record 2 is damaged");
    refused(b"\x1e00000001 00000000 {}\n".to_vec(), "record 1 is damaged");
}

#[test]
fn a_line_without_end_is_cut_off() {
    refused(vec![b'x'; 9 << 20], "a record of more than 8388608 bytes");
}

/// So much is written, and some of it kept; what is told afterwards counts.
#[test]
fn a_kernel_that_never_falls_silent_fills_nothing() {
    let honest = [begun("one"), passed("one"), begun("two"), passed("two"), done(2), FromGuest::End];
    let line = b"[    1.000000] it goes on\r\n".repeat(4000);
    let (lines, length) = (300, line.len());
    let chatter = move |console: &mut UnixStream| (0..lines).for_each(|_| console.write_all(&line).unwrap());
    let mut guest = Scripted::new(chatter, written(&honest));
    assert!(talk(&mut guest).0.is_ok());
    guest.speakers.drain(..).for_each(|speaker| speaker.join().unwrap());
    assert_eq!(guest.said(), lines * length);
    assert!(guest.lines.text().since(0).len() < 5 << 20);
}

/// A VM that dies is no liar: what it said before is held against what its kernel said.
#[test]
fn a_verdict_before_a_death_counts_unless_the_kernel_had_complained() {
    let (came, talk) =
        talk(&mut Scripted::new(|_| {}, written(&[begun("one"), passed("one"), begun("two")])));
    assert_eq!((talk.begun, talk.held.len()), (Some(1), 1));
    let fate = came.unwrap_err();
    let mut how = Return { end: End::Lost(fate, String::new()), complaint: None, all_judged: false };
    assert_eq!(how.believed(Outcome::Passed), Outcome::Passed);
    how.complaint = Some("WARNING: it is not well".to_owned());
    assert!(matches!(how.believed(Outcome::Passed), Outcome::Failed(_)));
    // It died when all was judged: then nothing says that it was somebody else's doing.
    how = Return { complaint: None, all_judged: true, ..how };
    assert!(matches!(how.believed(Outcome::Passed), Outcome::Crashed(_)));
}
