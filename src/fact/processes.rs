//! The processes that `/proc` shows.

use serde_json::{Value, json};

use super::evidence::{read, reading, show, unreadable};
use super::lifecycle::STATE_WORDS;
use super::status::Stat;
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

/// More processes than this are refused, never cut.
const CAP: usize = 1 << 16;

/// `processes`
pub(super) const PROCESSES: Fact = Fact {
    name: "processes",
    argument: None,
    kind: Kind::List(&Kind::Record(&[
        Field { name: "pid", kind: Kind::Int, brief: "Its PID, as the reader's /proc counts." },
        Field { name: "ppid", kind: Kind::Int, brief: "Its parent's PID." },
        Field {
            name: "comm",
            kind: Kind::Text,
            brief: "Its name: the program's, cut to 15 bytes, or a name it took.",
        },
        Field {
            name: "state",
            kind: Kind::Word(STATE_WORDS),
            brief: "What it is doing, as the fact `state`.",
        },
    ])),
    views: EVERYWHERE,
    brief: "The processes, in the order of their PIDs.",
    long: "Inside, all that /proc shows: those of the PID namespace in which that /proc was mounted, and of the namespaces \
           below it. Without a /proc of its own a sandbox sees the host's. Outside, the processes that are in the same PID \
           namespace as the sandbox's first process, in the host's numbers.",
    example: "processes: { some: { pid: 1 } }",
    observe: |subject, _| processes(subject),
    relate: None,
    same_outside: false,
};

fn processes(subject: &Subject) -> Result<Reading, Unobserved> {
    let namespace = match subject.pid() {
        Some(_) => Some(namespace(subject)?),
        None => None,
    };
    let mut list = Vec::new();
    for pid in pids()? {
        let process = Subject::other(pid, None);
        if namespace.is_some() && namespace != self::namespace(&process).ok() {
            continue;
        }
        // A process that ends between the listing and the reading is no longer one.
        if let Ok(stat) = Stat::of(&process) {
            list.push(record(pid, &stat)?);
        }
    }
    let raw = list.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    Ok(reading(list, raw))
}

fn namespace(subject: &Subject) -> Result<std::path::PathBuf, Unobserved> {
    let path = subject.proc_file("ns/pid");
    std::fs::read_link(&path).map_err(|error| unreadable(&path, &error))
}

fn pids() -> Result<Vec<i32>, Unobserved> {
    // Without a procfs there, an empty /proc would pass for one without processes.
    read("/proc/self/stat")?;
    let directory = std::fs::read_dir("/proc").map_err(|error| unreadable("/proc".as_ref(), &error))?;
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut pids: Vec<i32> = directory.filter_map(name).take(CAP + 1).collect();
    if pids.len() > CAP {
        return Err(Unobserved::because(format!("/proc shows more than {CAP} processes")));
    }
    pids.sort_unstable();
    Ok(pids)
}

fn record(pid: i32, stat: &Stat) -> Result<Value, Unobserved> {
    let state = super::lifecycle::state_word(&show(stat.word(3)?))?;
    Ok(json!({ "pid": pid, "ppid": stat.number(4)?, "comm": show(stat.comm()?), "state": state }))
}
