//! How a VM came to its end before its time.

use std::fmt;

use super::budget::Spent;
use crate::fact::Ended;

/// Why nothing more is heard of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::vm) enum Fate {
    /// QEMU could not be started, or not so.
    NotStarted(String),
    /// QEMU has ended, and the guest has not said why; with what QEMU itself said.
    Ended(Option<Ended>, String),
    /// It said nothing for too long.
    Hung(String),
    /// The host did not let it run.
    Starved(String),
    /// What it said was no record, or out of turn.
    Garbled(String),
    /// The guest's first process could not go on.
    Stuck(String),
}

impl Fate {
    pub(super) fn silent(spent: Spent) -> Self {
        match spent {
            Spent::Computing(_) | Spent::Idle(_) | Spent::Talking(_) => {
                Self::Hung(format!("{spent}, and nothing came that was waited for"))
            }
            Spent::Starved(_) => Self::Starved(spent.to_string()),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(reason) => write!(formatter, "QEMU did not start: {reason}"),
            Self::Ended(ended, said) => {
                formatter.write_str("the VM ended")?;
                match ended {
                    // A panic, a reboot and switching off are all the same to QEMU.
                    Some(Ended::Exited(0)) | None => {}
                    Some(ended) => write!(formatter, ", and QEMU {}", in_words(*ended))?,
                }
                if said.trim().is_empty() { Ok(()) } else { write!(formatter, ": {}", said.trim()) }
            }
            Self::Hung(how) => write!(formatter, "the VM hangs: {how}"),
            Self::Starved(how) => write!(formatter, "the VM got nowhere: {how}; run fewer things beside it"),
            Self::Garbled(what) => write!(formatter, "what the VM said is not to be believed: {what}"),
            Self::Stuck(reason) => write!(formatter, "the VM could not go on: {reason}"),
        }
    }
}

pub(super) fn in_words(ended: Ended) -> String {
    match ended {
        Ended::Exited(status) => format!("exited with {status}"),
        Ended::Signaled(number) => format!("was killed by signal {number}"),
    }
}
