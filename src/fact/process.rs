//! Who a process is: its PIDs, session and terminal, and how the kernel treats it.

use super::evidence::{malformed, number, read, reading, show};
use super::status::{Stat, Status};
use super::vantage::EVERYWHERE;
use super::{Fact, Kind, Reading, Subject, Unobserved};

/// `pid`
pub(super) const PID: Fact = Fact {
    name: "pid",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "The process's PID.",
    long: "Inside, what getpid(2) returns: the PID in the process's own PID namespace. Outside, the PID by which the host \
           knows it. See pid_namespaces(7).",
    example: "pid: 1",
    observe: |subject, _| {
        let pid = subject.pid().unwrap_or_else(|| nix::unistd::getpid().as_raw());
        Ok(reading(pid, format!("getpid() = {pid}")))
    },
    relate: None,
    same_outside: false,
};

/// `ppid`
pub(super) const PPID: Fact = Fact {
    name: "ppid",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "The PID of the process's parent.",
    long: "Inside, what getppid(2) returns: 0 where the parent is in another PID namespace. Outside, PPid of \
           /proc/PID/status, as the host counts.",
    example: "ppid: 0",
    observe: |subject, _| {
        if subject.pid().is_some() {
            return status_number(subject, "PPid");
        }
        let ppid = nix::unistd::getppid().as_raw();
        Ok(reading(ppid, format!("getppid() = {ppid}")))
    },
    relate: None,
    same_outside: false,
};

/// `nspid`
pub(super) const NSPID: Fact = Fact {
    name: "nspid",
    argument: None,
    kind: Kind::List(&Kind::Int),
    views: EVERYWHERE,
    brief: "The process's PID in each PID namespace, from that of the reader's /proc inwards.",
    long: "NSpid of /proc/PID/status, Linux 4.1. One number: the process is in the PID namespace of the /proc that was \
           read. Two: it is one level below. A kernel without PID namespaces does not show the field, and there it is Pid.",
    example: "nspid: { count: 1 }",
    observe: |subject, _| {
        let status = Status::of(subject)?;
        let field = if status.line("NSpid").is_ok() { "NSpid" } else { "Pid" };
        Ok(reading(status.numbers(field)?, status.line(field)?))
    },
    relate: None,
    same_outside: false,
};

/// `session`
pub(super) const SESSION: Fact = Fact {
    name: "session",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "The process's session ID.",
    long: "Inside, what getsid(2) returns: 0 where the session's leader is in another PID namespace, so that a terminal of \
           the outside may be within reach (CVE-2017-5226). Outside, field 6 of /proc/PID/stat.",
    example: "session: { at_least: 0 }",
    observe: |subject, _| {
        if subject.pid().is_some() {
            let stat = Stat::of(subject)?;
            return Ok(reading(stat.number(6)?, &stat.bytes));
        }
        let session = nix::unistd::getsid(None)
            .map_err(|errno| Unobserved::because(format!("getsid(0) failed: {errno:?}")))?
            .as_raw();
        Ok(reading(session, format!("getsid(0) = {session}")))
    },
    relate: None,
    same_outside: false,
};

/// `tty`
pub(super) const TTY: Fact = Fact {
    name: "tty",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The process's controlling terminal, or `none`.",
    long: "From the device number in field 7 of /proc/PID/stat: `pts/3`, `tty1`, `ttyS0`, otherwise `MAJOR:MINOR` \
           (Documentation/admin-guide/devices.txt of the kernel).",
    example: "tty: none",
    observe: |subject, _| {
        let stat = Stat::of(subject)?;
        let device = u64::try_from(stat.number(7)?).map_err(|_| malformed("stat", "terminal"))?;
        Ok(reading(terminal(device), &stat.bytes))
    },
    relate: None,
    same_outside: true,
};

/// `oom_score_adj`
pub(super) const OOM_SCORE_ADJ: Fact = Fact {
    name: "oom_score_adj",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "How much the process is favoured or spared when memory runs out: -1000 to 1000.",
    long: "/proc/PID/oom_score_adj, proc_pid_oom_score_adj(5). It is inherited from what started the sandbox.",
    example: "oom_score_adj: { at_least: 0 }",
    observe: |subject, _| {
        let path = subject.proc_file("oom_score_adj");
        let bytes = read(&path)?;
        Ok(reading(number(&bytes).ok_or_else(|| malformed(&path, "number"))?, &bytes))
    },
    relate: None,
    same_outside: true,
};

/// `umask`
pub(super) const UMASK: Fact = Fact {
    name: "umask",
    argument: None,
    kind: Kind::Mode,
    views: EVERYWHERE,
    brief: "The process's file mode creation mask: `\"0022\"`.",
    long: "Umask of /proc/PID/status, Linux 4.7; umask(2).",
    example: "umask: \"0022\"",
    observe: |subject, _| {
        let status = Status::of(subject)?;
        Ok(reading(show(status.text("Umask")?), status.line("Umask")?))
    },
    relate: None,
    same_outside: true,
};

fn status_number(subject: &Subject, field: &str) -> Result<Reading, Unobserved> {
    let status = Status::of(subject)?;
    Ok(reading(status.number(field)?, status.line(field)?))
}

/// The terminal's name from its device number in the kernel's form: minor bits 0–7 and 20–31, major bits 8–19.
fn terminal(device: u64) -> String {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    match (major, minor) {
        (0, 0) => "none".to_owned(),
        (136..=143, minor) => format!("pts/{}", (major - 136) * 256 + minor),
        (4, 0..=63) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (5, 1) => "console".to_owned(),
        _ => format!("{major}:{minor}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_have_names() {
        let check = |device, expected: &str| assert_eq!(terminal(device), expected);
        check(0, "none");
        check(136 << 8 | 3, "pts/3");
        check(137 << 8 | 1, "pts/257");
        check(4 << 8 | 1, "tty1");
        check(4 << 8 | 64, "ttyS0");
        check(5 << 8 | 1, "console");
        check(204 << 8 | 64, "204:64");
    }
}
