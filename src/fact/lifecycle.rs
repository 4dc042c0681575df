//! Whether a process lives, and how it ended. Only another process can tell.

use nix::sys::signal::Signal;
use std::path::Path;

use super::evidence::{reading, show};
use super::status::Stat;
use super::vantage::{FROM_OUTSIDE, ITSELF};
use super::{Ended, Fact, Kind, Subject, Unobserved};
use crate::sys::ENDINGS;

/// The states of `proc_pid_stat(5)`, with our words for them.
const STATES: [(&str, &str); 9] = [
    ("R", "running"),
    ("S", "sleeping"),
    ("D", "blocked"),
    ("T", "stopped"),
    ("t", "traced"),
    ("Z", "zombie"),
    ("X", "ended"),
    ("I", "idle"),
    ("P", "parked"),
];

/// The words for a process's state.
pub(super) const STATE_WORDS: &[&str] =
    &["running", "sleeping", "blocked", "stopped", "traced", "zombie", "ended", "idle", "parked"];

/// `alive`
pub(super) const ALIVE: Fact = Fact {
    name: "alive",
    argument: None,
    kind: Kind::Bool,
    views: FROM_OUTSIDE,
    brief: "Whether the process lives.",
    long: "A process that has ended and was not yet waited for (a zombie) does not live.",
    example: "alive: true",
    observe: |subject, _| {
        let (state, raw) = state(subject)?;
        Ok(reading(!matches!(state, "zombie" | "ended"), raw))
    },
    relate: None,
};

/// `state`
pub(super) const STATE: Fact = Fact {
    name: "state",
    argument: None,
    kind: Kind::Word(STATE_WORDS),
    views: FROM_OUTSIDE,
    brief: "What the process is doing.",
    long: "Field 3 of /proc/PID/stat: R running, S sleeping, D blocked, T stopped, t traced, Z zombie, I idle, P parked; \
           `ended` where there is no such process any more.",
    example: "state: { one_of: [running, sleeping] }",
    observe: |subject, _| state(subject).map(|(state, raw)| reading(state, raw)),
    relate: None,
};

/// `ended_by`
pub(super) const ENDED_BY: Fact = Fact {
    name: "ended_by",
    argument: None,
    kind: Kind::Word(ENDINGS),
    views: FROM_OUTSIDE,
    brief: "The signal that ended the process, `SIGKILL`; `none` where it lives or has exited.",
    long: "From the status that wait(2) gave its parent. `real_time` is any signal from 32 on. Where it is not known how \
           the process ended, the fact cannot be observed.",
    example: "ended_by: none",
    observe: |subject, _| match subject.ended() {
        Some(Ended::Signaled(number)) => Ok(reading(signal_name(number), format!("signal {number}"))),
        Some(Ended::Exited(status)) => Ok(reading("none", format!("exit status {status}"))),
        None => still_there(subject).map(|raw| reading("none", raw)),
    },
    relate: None,
};

/// `exit_code`
pub(super) const EXIT_CODE: Fact = Fact {
    name: "exit_code",
    argument: None,
    kind: Kind::Int,
    views: FROM_OUTSIDE,
    brief: "The status with which the process exited.",
    long: "From wait(2). A process that lives, or that a signal ended, has none: the fact cannot be observed.",
    example: "exit_code: 0",
    observe: |subject, _| match subject.ended() {
        Some(Ended::Exited(status)) => Ok(reading(status, format!("exit status {status}"))),
        Some(Ended::Signaled(number)) => {
            let name = signal_name(number);
            Err(Unobserved::because(format!("the process has no exit status: {name} ended it")))
        }
        None => {
            still_there(subject)?;
            Err(Unobserved::because("the process has no exit status: it still lives"))
        }
    },
    relate: None,
};

/// `parent_death_signal`
pub(super) const PARENT_DEATH_SIGNAL: Fact = Fact {
    name: "parent_death_signal",
    argument: None,
    kind: Kind::Word(ENDINGS),
    views: ITSELF,
    brief: "The signal that the process gets when what started it ends; `none` where it gets none.",
    long: "prctl(PR_GET_PDEATHSIG), prctl(2). SIGKILL there ends a sandbox together with its launcher, however that ends: it \
           comes from outside of the PID namespace, so that its init cannot ignore it. execve(2) of an ordinary program \
           keeps it, a change of user clears it.",
    example: "parent_death_signal: SIGKILL",
    observe: |_, _| {
        let signal = nix::sys::prctl::get_pdeathsig()
            .map_err(|errno| Unobserved::because(format!("prctl(PR_GET_PDEATHSIG) failed: {errno:?}")))?;
        let name = signal.map_or("none", Signal::as_str);
        Ok(reading(name, format!("PR_GET_PDEATHSIG: {name}")))
    },
    relate: None,
};

fn state(subject: &Subject) -> Result<(&'static str, String), Unobserved> {
    if let Some(ended) = subject.ended() {
        return Ok(("ended", format!("{ended:?}")));
    }
    let directory = subject.proc_file("");
    let stat = match Stat::of(subject) {
        Ok(stat) => stat,
        Err(_) if is_gone(&directory) => {
            return Ok(("ended", format!("{} does not exist", directory.display())));
        }
        Err(error) => return Err(error),
    };
    Ok((state_word(&show(stat.word(3)?))?, show(&stat.bytes)))
}

/// Our word for a state's letter.
pub(super) fn state_word(letter: &str) -> Result<&'static str, Unobserved> {
    let word = STATES.iter().find(|(known, _)| *known == letter).map(|(_, word)| *word);
    word.ok_or_else(|| Unobserved::because(format!("the kernel shows an unknown process state, {letter}")))
}

/// No process has this PID: but that is only known where /proc itself is there.
fn is_gone(directory: &Path) -> bool {
    Path::new("/proc/self/stat").exists()
        && matches!(std::fs::symlink_metadata(directory), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

fn still_there(subject: &Subject) -> Result<String, Unobserved> {
    match state(subject)? {
        ("ended" | "zombie", raw) => {
            Err(Unobserved::because(format!("the process has ended, and it is not known how: {raw}")))
        }
        (_, raw) => Ok(raw),
    }
}

/// `SIGKILL`; `real_time` for one of the signals from 32 on, which have no names of their own.
fn signal_name(number: i32) -> &'static str {
    Signal::try_from(number).map_or("real_time", Signal::as_str)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_childs_life_is_seen_from_outside() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let alive = |ended| (ALIVE.observe)(&Subject::other(pid, ended), "").unwrap().value;
        assert_eq!(alive(None), true);
        drop(child.stdin.take());
        let status = child.wait().unwrap();
        assert_eq!(alive(None), false);
        let ended = Subject::other(pid, Some(Ended::Exited(status.code().unwrap())));
        assert_eq!((EXIT_CODE.observe)(&ended, "").unwrap().value, 0);
        assert_eq!((STATE.observe)(&ended, "").unwrap().value, "ended");
        assert_eq!((ENDED_BY.observe)(&ended, "").unwrap().value, "none");
    }

    #[test]
    fn every_signal_has_its_word() {
        for signal in Signal::iterator() {
            assert!(ENDINGS.contains(&signal_name(signal as i32)), "{signal}");
        }
        assert_eq!(signal_name(34), "real_time");
    }

    #[test]
    fn a_death_has_its_signal() {
        let ended = Subject::other(1, Some(Ended::Signaled(9)));
        assert_eq!((ENDED_BY.observe)(&ended, "").unwrap().value, "SIGKILL");
        let reason = (EXIT_CODE.observe)(&ended, "").unwrap_err().reason;
        assert_eq!(reason, "the process has no exit status: SIGKILL ended it");
    }

    #[test]
    fn how_a_process_ended_is_not_guessed() {
        let gone = Subject::other(1 << 22, None);
        let reason = (ENDED_BY.observe)(&gone, "").unwrap_err().reason;
        assert_eq!(reason, "the process has ended, and it is not known how: /proc/4194304/ does not exist");
        let living = Subject::other(i32::try_from(std::process::id()).unwrap(), None);
        let reason = (EXIT_CODE.observe)(&living, "").unwrap_err().reason;
        assert_eq!(reason, "the process has no exit status: it still lives");
    }
}
