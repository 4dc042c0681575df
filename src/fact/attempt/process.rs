//! Signals to other processes, and tracing them.

use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};

use super::outcome::{check_probe, outcome, parse_pid, unprepared, with_undoing};
use crate::fact::{Attempt, Leaves, Reading, Unobserved};
use crate::sys::{fork_and_wait, pipe, rights, signals};

/// How long a traced process may take to stop, so that it can be let go.
const PATIENCE: Duration = Duration::from_secs(1);

/// `fork`
pub(super) const FORK: Attempt = Attempt {
    name: "fork",
    object: "probe",
    brief: "Makes a child, which ends at once.",
    long: "fork(2), then waitpid(2). ENOMEM: the PID namespace of its children has lost its first process, \
           pid_namespaces(7); EAGAIN: a limit of processes is reached. In a PID namespace for children that has no process \
           yet, the child is its first: after it there can be no other.",
    example: "attempts: { fork: { probe: allowed } }",
    leaves: Leaves::Something,
    check: check_probe,
    attempt: |_| outcome("fork()", fork_and_wait()),
};

/// `kill`
pub(super) const KILL: Attempt = Attempt {
    name: "kill",
    object: "PID | \"SIGNAL PID\"",
    brief: "Sends a signal to a process; without a name, signal 0, which only asks whether it may.",
    long: "kill(PID, SIGNAL), kill(2), with the PID as the sandbox counts. `kill: { 1: allowed }` sends nothing; `SIGKILL 1` \
           really sends it: a PID namespace's first process does not die of its own namespace's signals.",
    example: "attempts: { kill: { \"SIGKILL 1\": allowed } }",
    leaves: Leaves::NothingIf(|object| !object.contains(' ')),
    check: |object| parse(object).map(drop),
    attempt: |object| {
        let (signal, pid) = parse(object).map_err(Unobserved::because)?;
        let result = signals::kill(pid, signal).map_err(|failure| Errno::from_raw(failure.errno));
        outcome(&format!("kill({pid}, {signal})"), result)
    },
};

/// `ptrace`
pub(super) const PTRACE: Attempt = Attempt {
    name: "ptrace",
    object: "PID | hidden_child",
    brief: "Attaches to a process as a debugger does, and lets it go.",
    long: "ptrace(PTRACE_SEIZE, PID), then PTRACE_INTERRUPT and PTRACE_DETACH as soon as it has stopped. ptrace(2), section \
           access mode checking. The process itself cannot be the object: no process traces itself. `hidden_child` is a \
           child that is made for it and has set PR_SET_DUMPABLE to 0, so that it can be traced with CAP_SYS_PTRACE only; \
           it is killed after.",
    example: "attempts: { ptrace: { 1: denied } }",
    leaves: Leaves::Something,
    check: |object| if object == HIDDEN { Ok(()) } else { parse_pid(object).map(drop) },
    attempt: |object| {
        if object == HIDDEN {
            return trace_hidden_child();
        }
        let pid = Pid::from_raw(parse_pid(object).map_err(Unobserved::because)?);
        if pid == getpid() {
            return Err(Unobserved::because(format!(
                "the process tried to trace itself, {pid}: no process can"
            )));
        }
        let result = ptrace::seize(pid, ptrace::Options::empty());
        let undone = if result.is_ok() { let_go(pid) } else { Ok(()) };
        let reading: Reading = outcome(&format!("ptrace(PTRACE_SEIZE, {pid})"), result)?;
        Ok(with_undoing(reading, undone))
    },
};

const HIDDEN: &str = "hidden_child";

fn trace_hidden_child() -> Result<Reading, Unobserved> {
    let child = rights::hidden_child().map_err(|errno| unprepared("fork", errno))?;
    let pid = Pid::from_raw(child);
    let result = ptrace::seize(pid, ptrace::Options::empty());
    let killed = signals::kill(child, libc::SIGKILL).map_err(|failure| Errno::from_raw(failure.errno));
    // As the first process of a PID namespace the caller reaps all its children in a signal handler.
    let _reaped = waitpid(pid, Some(WaitPidFlag::__WALL));
    Ok(with_undoing(outcome("ptrace(PTRACE_SEIZE, a hidden child)", result)?, killed))
}

fn parse(object: &str) -> Result<(i32, i32), String> {
    let (signal, pid) = object.split_once(' ').unwrap_or(("0", object));
    let unknown = || format!("`{signal}` is not a signal: write a name of signal(7), `SIGTERM`");
    let number = if signal == "0" { 0 } else { Signal::from_str(signal).map_err(|_| unknown())? as i32 };
    Ok((number, parse_pid(pid)?))
}

/// `PTRACE_DETACH` needs a tracee that has stopped. Whoever reaps children may have taken the word of it: so it is tried.
fn let_go(pid: Pid) -> nix::Result<()> {
    ptrace::interrupt(pid)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A tracee is no child unless __WALL says that any will do.
        let _stopped = waitpid(pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL));
        match ptrace::detach(pid, None) {
            Err(Errno::ESRCH) if Instant::now() < deadline => pipe::pause(Duration::from_millis(1)),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_or_none() {
        let check =
            |object: &str, expected: Option<(i32, i32)>| assert_eq!(parse(object).ok(), expected, "{object}");
        check("1", Some((0, 1)));
        check("SIGKILL 1", Some((9, 1)));
        check("SIGTERM 4711", Some((15, 4711)));
        for wrong in ["", "0", "-1", "KILL 1", "SIGKILL", "SIGKILL x", "9 1", "SIGTERM  1"] {
            check(wrong, None);
        }
    }
}
