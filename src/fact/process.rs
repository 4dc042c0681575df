//! Who and where a process is: its PIDs, session, terminal, directories, command line and environment.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::evidence::{malformed, number, read, reading, show, trim, unreadable};
use super::status::{Stat, Status};
use super::vantage::{EVERYWHERE, ITSELF};
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
};

/// `nspid`
pub(super) const NSPID: Fact = Fact {
    name: "nspid",
    argument: None,
    kind: Kind::List(&Kind::Int),
    views: EVERYWHERE,
    brief: "The process's PID in each PID namespace, from that of the reader's /proc inwards.",
    long: "NSpid of /proc/PID/status, Linux 4.1. One number: the process is in the PID namespace of the /proc that was \
           read. Two: it is one level below.",
    example: "nspid: { count: 1 }",
    observe: |subject, _| {
        let status = Status::of(subject)?;
        Ok(reading(status.numbers("NSpid")?, status.line("NSpid")?))
    },
    relate: None,
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
};

/// `cwd`
pub(super) const CWD: Fact = Fact {
    name: "cwd",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The process's working directory.",
    long: "The link /proc/PID/cwd; where the process has no /proc, getcwd(2). A directory outside of the process's root \
           shows with `(unreachable)` in front (CVE-2024-21626). Outside, the path as it shows in the process's own mount \
           namespace.",
    example: "cwd: /",
    observe: |subject, _| match link(subject, "cwd") {
        Err(error) if subject.pid().is_some() => Err(error),
        Err(_) => working_directory(),
        link => link,
    },
    relate: None,
};

/// `root`
pub(super) const ROOT_DIRECTORY: Fact = Fact {
    name: "root",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The process's root directory, as the reader's mount tree shows it.",
    long: "The link /proc/PID/root. Inside it is always `/`. Outside, a chroot(2) shows as the directory's path, and a \
           pivot_root(2) as `/`.",
    example: "root: /",
    observe: |subject, _| link(subject, "root"),
    relate: None,
};

/// `exe`
pub(super) const EXE: Fact = Fact {
    name: "exe",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The path of the program that the process runs.",
    long: "The link /proc/PID/exe. ` (deleted)` follows the path of a program that was unlinked. A native sandbox's agent \
           is a clone of airtight itself, so this is airtight's own path.",
    example: "exe: { starts_with: / }",
    observe: |subject, _| link(subject, "exe"),
    relate: None,
};

/// `cmdline`
pub(super) const CMDLINE: Fact = Fact {
    name: "cmdline",
    argument: None,
    kind: Kind::List(&Kind::Text),
    views: EVERYWHERE,
    brief: "The process's command line, word by word.",
    long: "/proc/PID/cmdline, split at its NUL bytes. Empty for a zombie and for a kernel thread.",
    example: "cmdline: { count: { at_least: 1 } }",
    observe: |subject, _| {
        let bytes = read(subject.proc_file("cmdline"))?;
        Ok(reading(split_at_nul(&bytes), &bytes))
    },
    relate: None,
};

/// `env`
pub(super) const ENV: Fact = Fact {
    name: "env",
    argument: None,
    kind: Kind::Map(&Kind::Text),
    views: EVERYWHERE,
    brief: "The process's environment.",
    long: "Inside, the environment that the process would hand to a program it starts. Outside, /proc/PID/environ: what \
           the process was given by its last execve(2).",
    example: "env: { PATH: { contains: /bin } }",
    observe: |subject, _| {
        if subject.pid().is_none() {
            return Ok(own_environment());
        }
        let bytes = read(subject.proc_file("environ"))?;
        Ok(reading(environment(&bytes), &bytes))
    },
    relate: None,
};

/// `lsm`
pub(super) const LSM: Fact = Fact {
    name: "lsm",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The label that the kernel's security module gave the process, or `none`.",
    long: "/proc/PID/attr/current: an AppArmor profile with its mode, or an SELinux context. `none` where no module keeps \
           labels (the read gives EINVAL).",
    example: "lsm: { not: { empty: true } }",
    observe: |subject, _| {
        let path = subject.proc_file("attr/current");
        match std::fs::read(&path) {
            Ok(bytes) => Ok(reading(show(trim(bytes.strip_suffix(b"\0").unwrap_or(&bytes))), &bytes)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(reading("none", "read: EINVAL")),
            Err(error) => Err(unreadable(&path, &error)),
        }
    },
    relate: None,
};

/// `boot_id`
pub(super) const BOOT_ID: Fact = Fact {
    name: "boot_id",
    argument: None,
    kind: Kind::Text,
    views: ITSELF,
    brief: "The random identifier of this boot of the kernel.",
    long: "/proc/sys/kernel/random/boot_id, random(4). It is the host's unless a runtime covers the file.",
    example: "boot_id: { matches: '^[0-9a-f-]{36}$' }",
    observe: |_, _| {
        let bytes = read("/proc/sys/kernel/random/boot_id")?;
        Ok(reading(show(trim(&bytes)), &bytes))
    },
    relate: None,
};

fn status_number(subject: &Subject, field: &str) -> Result<Reading, Unobserved> {
    let status = Status::of(subject)?;
    Ok(reading(status.number(field)?, status.line(field)?))
}

fn link(subject: &Subject, name: &str) -> Result<Reading, Unobserved> {
    let path = subject.proc_file(name);
    let target = std::fs::read_link(&path).map_err(|error| unreadable(&path, &error))?;
    let bytes = target.as_os_str().as_encoded_bytes();
    Ok(reading(show(bytes), bytes))
}

fn working_directory() -> Result<Reading, Unobserved> {
    let path =
        std::env::current_dir().map_err(|error| unreadable(Path::new("the working directory"), &error))?;
    let bytes = path.as_os_str().as_encoded_bytes();
    Ok(reading(show(bytes), bytes))
}

fn split_at_nul(bytes: &[u8]) -> Value {
    let whole = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if whole.is_empty() { json!([]) } else { whole.split(|byte| *byte == 0).map(show).collect() }
}

/// Splits at NUL and at the first `=`; as getenv(3) does, the first of two equal names counts.
fn environment(bytes: &[u8]) -> Map<String, Value> {
    let mut map = Map::new();
    for entry in bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let equals = entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len());
        let value = entry.get(equals + 1..).unwrap_or_default();
        map.entry(show(&entry[..equals])).or_insert_with(|| show(value).into());
    }
    map
}

fn own_environment() -> Reading {
    let mut bytes = Vec::new();
    for (name, value) in std::env::vars_os() {
        bytes.extend_from_slice(name.as_encoded_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_encoded_bytes());
        bytes.push(0);
    }
    reading(environment(&bytes), &bytes)
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

    #[test]
    fn an_environment_is_split_at_the_first_equals_sign() {
        let map = environment(b"A=1=2\0B=\0\0A=again\0odd\0X=\xff\0");
        assert_eq!(Value::from(map), json!({ "A": "1=2", "B": "", "odd": "", "X": "\\xff" }));
    }

    #[test]
    fn a_command_line_keeps_empty_words() {
        let check = |bytes: &[u8], expected: Value| assert_eq!(split_at_nul(bytes), expected);
        check(b"sh\0-c\0\0", json!(["sh", "-c", ""]));
        check(b"", json!([]));
        check(b"one", json!(["one"]));
    }
}
