//! What a process runs and where: its directories, program, command line and environment.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::evidence::{read, reading, show, unreadable};
use super::vantage::EVERYWHERE;
use super::{Fact, Kind, Reading, Subject, Unobserved};

/// `cwd`
pub(super) const CWD: Fact = Fact {
    name: "cwd",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The process's working directory.",
    long: "Inside, what getcwd(2) returns: a directory that the process's root does not lead to shows with `(unreachable)` in \
           front (CVE-2024-21626). Outside, the link /proc/PID/cwd: the path as it shows in the process's own mount \
           namespace, where a directory outside of it looks like one within.",
    example: "cwd: /",
    observe: |subject, _| if subject.pid().is_some() { link(subject, "cwd") } else { working_directory() },
    relate: None,
    same_outside: false,
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
    same_outside: false,
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
    same_outside: false,
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
    same_outside: true,
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
    same_outside: false,
};

fn link(subject: &Subject, name: &str) -> Result<Reading, Unobserved> {
    let path = subject.proc_file(name);
    let target = std::fs::read_link(&path).map_err(|error| unreadable(&path, &error))?;
    let bytes = target.as_os_str().as_encoded_bytes();
    Ok(reading(show(bytes), bytes))
}

/// The system call's own answer: the C library takes one that does not begin with `/` for an error, and looks for another way.
fn working_directory() -> Result<Reading, Unobserved> {
    let path = rustix::process::getcwd(Vec::new())
        .map_err(|errno| unreadable(Path::new("the working directory"), &errno.into()))?;
    Ok(reading(show(path.as_bytes()), path.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
