//! The messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::Outcome;
use crate::judge::Observations;

/// What the host says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ToGuest {
    /// Judge these claims.
    Go(Box<Go>),
    /// Start a shell.
    Shell(Box<Shell>),
    /// Bytes for it, as a text; nothing is their end. More comes only after [`FromGuest::Taken`].
    Input(String),
    /// Switch the VM off.
    End,
}

/// What a shell is to have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Shell {
    /// As of [`Go`].
    pub clock: (i64, i64),
    /// As of [`Go`].
    pub seed: String,
    /// Specs and what they name, by their paths below the folder that they are put into.
    pub files: BTreeMap<String, String>,
    /// The roots of the images that they name.
    pub images: BTreeMap<String, String>,
    /// The terminal that it is to have; without one it reads a pipe.
    pub terminal: Option<Size>,
}

/// A terminal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Size {
    /// How many lines it has.
    pub rows: u16,
    /// How many letters each of them has.
    pub columns: u16,
    /// Its name, for TERM.
    pub kind: String,
}

/// Claims of one scenario on one runtime.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Go {
    /// A random word, repeated by every answer: what was written before it was known is no answer.
    pub nonce: String,
    /// The host's time, in seconds and nanoseconds since 1970: a VM that was restored has slept.
    pub clock: (i64, i64),
    /// Bytes for the kernel's random numbers: every restored VM would have the same.
    pub seed: String,
    /// Whether an ordinary user judges them, and not root.
    pub unprivileged: bool,
    /// The spec's text.
    pub spec: String,
    /// The name of its file, by which it may speak of itself.
    pub name: String,
    /// What the names of its tests begin with.
    pub prefix: String,
    /// Files that it names, by their path relative to it.
    pub beside: BTreeMap<String, String>,
    /// The roots of the images that it names.
    pub images: BTreeMap<String, String>,
    /// The runtime.
    pub runtime: String,
    /// Whether core dumps are to be sent.
    pub cores: bool,
    /// The names of the tests, in the guest's words: without the kernel.
    pub tests: Vec<String>,
}

/// What the guest says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum FromGuest {
    /// It is up, and waits for what is to be judged.
    Ready(KernelFacts),
    /// It could not come up.
    Stuck(String),
    /// A test is being judged.
    Begun {
        /// Of what was asked.
        nonce: String,
        /// Its name.
        test: String,
    },
    /// A test was judged.
    Judged(Box<Verdict>),
    /// A piece of the core dump of a process, as a text: see [`super::bytes_of`].
    Core {
        /// Of what was asked.
        nonce: String,
        /// Its name; all pieces of one have the same.
        name: String,
        /// In order, packed by gzip as a whole.
        piece: String,
    },
    /// The shell has said these bytes, as a text.
    Output {
        /// On its standard error.
        error: bool,
        /// See [`super::bytes_of`].
        text: String,
    },
    /// The shell has taken what was typed.
    Taken,
    /// The shell has ended with this code; a signal is 128 and its number.
    Left(i32),
    /// All were judged.
    Done(Summed),
    /// The VM is about to be switched off.
    End,
}

/// What became of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Of what was asked.
    pub nonce: String,
    /// Its name.
    pub test: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was observed at its last look.
    pub observed: Observations,
    /// How long it took, by the guest's clock.
    pub milliseconds: u64,
}

/// What is said once all tests of a [`Go`] have been judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Summed {
    /// Of what was asked.
    pub nonce: String,
    /// How many were.
    pub tests: usize,
    /// How many sandboxes were started, controls among them, and how many controls.
    pub sandboxes: (usize, usize),
    /// `/proc/sys/kernel/tainted` before and after.
    pub tainted: (u64, u64),
    /// Why none could be, if that is so.
    pub trouble: Option<String>,
}

/// What a kernel is like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// The security modules, as `/sys/kernel/security/lsm` lists them.
    pub lsms: String,
    /// The controllers of the unified cgroup hierarchy.
    pub controllers: String,
    /// The version of Landlock's interface; 0 where there is none.
    pub landlock: i64,
    /// `/proc/sys/kernel/tainted`.
    pub tainted: u64,
    /// Modules that were to be loaded and were not, with the reason.
    pub not_loaded: Vec<String>,
}
