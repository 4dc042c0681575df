//! The resource limits of a process.

use rustix::process::{Resource, getrlimit};
use serde_json::{Map, Value, json};

use super::evidence::{malformed, number, read, reading, trim};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

const PAIR: Kind = Kind::Record(&[
    Field { name: "soft", kind: Kind::Limit, brief: "What the kernel enforces." },
    Field { name: "hard", kind: Kind::Limit, brief: "What the soft limit can be raised to." },
]);

const fn limit(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: PAIR, brief }
}

/// The limits, with their lines in `/proc/PID/limits`.
const LIMITS: [(&str, Resource, &str); 16] = [
    ("nofile", Resource::Nofile, "Max open files"),
    ("nproc", Resource::Nproc, "Max processes"),
    ("core", Resource::Core, "Max core file size"),
    ("fsize", Resource::Fsize, "Max file size"),
    ("stack", Resource::Stack, "Max stack size"),
    ("memlock", Resource::Memlock, "Max locked memory"),
    ("address_space", Resource::As, "Max address space"),
    ("data", Resource::Data, "Max data size"),
    ("cpu", Resource::Cpu, "Max cpu time"),
    ("rss", Resource::Rss, "Max resident set"),
    ("locks", Resource::Locks, "Max file locks"),
    ("sigpending", Resource::Sigpending, "Max pending signals"),
    ("msgqueue", Resource::Msgqueue, "Max msgqueue size"),
    ("nice", Resource::Nice, "Max nice priority"),
    ("rtprio", Resource::Rtprio, "Max realtime priority"),
    ("rttime", Resource::Rttime, "Max realtime timeout"),
];

/// `limits`
pub(super) const LIMITS_FACT: Fact = Fact {
    name: "limits",
    argument: None,
    kind: Kind::Record(&[
        limit("nofile", "RLIMIT_NOFILE: one more than the highest descriptor."),
        limit("nproc", "RLIMIT_NPROC: threads of the real user id, sandbox or not."),
        limit("core", "RLIMIT_CORE: bytes of a core dump."),
        limit("fsize", "RLIMIT_FSIZE: bytes of a file it writes."),
        limit("stack", "RLIMIT_STACK: bytes."),
        limit("memlock", "RLIMIT_MEMLOCK: bytes locked into memory."),
        limit("address_space", "RLIMIT_AS: bytes of address space."),
        limit("data", "RLIMIT_DATA: bytes of data segment."),
        limit("cpu", "RLIMIT_CPU: seconds."),
        limit("rss", "RLIMIT_RSS: bytes; without effect since Linux 2.4.30."),
        limit("locks", "RLIMIT_LOCKS: without effect since Linux 2.4.25."),
        limit("sigpending", "RLIMIT_SIGPENDING: queued signals of the real user id."),
        limit("msgqueue", "RLIMIT_MSGQUEUE: bytes in POSIX message queues."),
        limit("nice", "RLIMIT_NICE: 20 minus the lowest nice value."),
        limit("rtprio", "RLIMIT_RTPRIO: the highest real-time priority."),
        limit("rttime", "RLIMIT_RTTIME: microseconds of real-time scheduling."),
    ]),
    views: EVERYWHERE,
    brief: "The process's resource limits, soft and hard; a number or `unlimited`.",
    long: "Inside, getrlimit(2); outside, /proc/PID/limits.",
    example: "limits: { core: { soft: 0 }, nofile: { hard: { at_most: 1048576 } } }",
    observe: |subject, _| if subject.pid().is_some() { limits_of(subject) } else { Ok(own_limits()) },
    relate: None,
    same_outside: true,
};

fn own_limits() -> Reading {
    let value = |limit: Option<u64>| limit.map_or_else(|| json!("unlimited"), |limit| json!(limit));
    let mut map = Map::new();
    for (name, resource, _) in LIMITS {
        let limit = getrlimit(resource);
        map.insert(name.to_owned(), json!({ "soft": value(limit.current), "hard": value(limit.maximum) }));
    }
    let raw = Value::from(map.clone()).to_string();
    reading(map, raw)
}

fn limits_of(subject: &Subject) -> Result<Reading, Unobserved> {
    let path = subject.proc_file("limits");
    let bytes = read(&path)?;
    let mut map = Map::new();
    for (name, _, title) in LIMITS {
        map.insert(name.to_owned(), row(&bytes, title).ok_or_else(|| malformed(&path, title))?);
    }
    Ok(reading(map, &bytes))
}

/// The columns are 26, 21 and 21 characters wide (fs/proc/base.c of the kernel).
fn row(table: &[u8], title: &str) -> Option<Value> {
    let line = table
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..26).is_some_and(|start| trim(start) == title.as_bytes()))?;
    let soft = line.get(26..47)?;
    let hard = line.get(47..line.len().min(68))?;
    Some(json!({ "soft": value(soft)?, "hard": value(hard)? }))
}

fn value(column: &[u8]) -> Option<Value> {
    if trim(column) == b"unlimited" { Some(json!("unlimited")) } else { number(column).map(Value::from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_read_agree() {
        let other = Subject::other(i32::try_from(std::process::id()).unwrap(), None);
        assert_eq!(limits_of(&other).unwrap().value, own_limits().value);
    }
}
