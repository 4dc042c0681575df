//! The runtime's own processes: those between the runner and a sandbox's first process.

use serde_json::{Value, json};

use super::evidence::{reading, show};
use super::posture::{self, FIELDS as POSTURE_FIELDS};
use super::program::{CMDLINE, EXE};
use super::status::{Stat, Status};
use super::vantage::FROM_OUTSIDE;
use super::{Fact, Field, Kind, Peers, Reading, Subject, Unobserved};

/// A chain of parents that is longer is none: PIDs were given again while it was read.
const LONGEST: usize = 64;

/// `helpers`
pub(super) const HELPERS: Fact = Fact {
    name: "helpers",
    argument: None,
    kind: Kind::List(&Kind::Record(&[
        Field { name: "pid", kind: Kind::Int, brief: "Its PID, as the host counts." },
        Field { name: "comm", kind: Kind::Text, brief: "Its name: the program's, cut to 15 bytes." },
        Field { name: "exe", kind: Kind::Text, brief: "Its program, as the fact `exe`." },
        Field {
            name: "cmdline",
            kind: Kind::List(&Kind::Text),
            brief: "Its command line, as the fact `cmdline`.",
        },
        Field {
            name: "posture",
            kind: Kind::Record(POSTURE_FIELDS),
            brief: "Its posture, as the fact `posture`.",
        },
    ])),
    views: FROM_OUTSIDE,
    brief: "The runtime's own processes that stay: the ancestors of the process up to airtight, the nearest first.",
    long: "Whoever holds such a process holds the sandbox: it is its parent, and often has more rights and descriptors than \
           anything inside. It is found by PPid of /proc/PID/status, from the process upwards; airtight itself and the \
           machine's PID 1 are not among them. A native sandbox has none. With unshare(1) it is unshare itself, which \
           waits for what it has forked; with containers a shim or a monitor. Of their namespaces `joined first` is \
           the same as the process's in question.",
    example: "helpers: empty",
    observe: |subject, _| helpers(subject),
    relate: Some(|value, peers| {
        for helper in value.as_array_mut().into_iter().flatten() {
            if let Some(posture) = helper.get_mut("posture") {
                posture::relate(posture, &Peers { inside: false, ..*peers });
            }
        }
    }),
};

fn helpers(subject: &Subject) -> Result<Reading, Unobserved> {
    let ours = nix::unistd::getpid().as_raw();
    let mut list = Vec::new();
    let mut pid = parent(subject)?;
    while pid > 1 && pid != ours {
        let helper = Subject::other(pid, None);
        let above = parent(&helper)?;
        // What makes all processes for the runner is its child, and airtight too.
        if above == ours {
            break;
        }
        if list.len() == LONGEST {
            return Err(Unobserved::because(format!("the process has more than {LONGEST} ancestors")));
        }
        list.push(record(pid, &helper)?);
        pid = above;
    }
    let raw = list.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    Ok(reading(list, raw))
}

fn parent(subject: &Subject) -> Result<i32, Unobserved> {
    let parent = Status::of(subject)?.number("PPid")?;
    i32::try_from(parent).map_err(Unobserved::because)
}

fn record(pid: i32, helper: &Subject) -> Result<Value, Unobserved> {
    let of = |fact: &Fact| (fact.observe)(helper, "").map(|reading| reading.value);
    Ok(json!({
        "pid": pid,
        "comm": show(Stat::of(helper)?.comm()?),
        "exe": of(&EXE)?,
        "cmdline": of(&CMDLINE)?,
        "posture": posture::posture(helper)?.value,
    }))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    /// This test's own child stands where the nursery does, and is airtight; what is between it and the process is not.
    #[test]
    fn what_stands_between_is_told() {
        let script = "sh -c 'sh -c \"echo \\$\\$; exec cat\"; :'; :";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let check = |pid: i32, expected: &[&str]| {
            let value = helpers(&Subject::other(pid, None)).unwrap().value;
            let names: Vec<&str> =
                value.as_array().unwrap().iter().map(|one| one["comm"].as_str().unwrap()).collect();
            assert_eq!(names, expected);
        };
        check(line.trim().parse().unwrap(), &["sh"]);
        check(i32::try_from(child.id()).unwrap(), &[]);
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
