//! What a process inherits of how it is treated: its niceness, its signals, its personality.

use serde_json::{Map, Value};

use super::evidence::{malformed, read, reading, show, trim};
use super::status::{Stat, Status};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Unobserved};
use crate::sys::signal_name;

/// `nice`
pub(super) const NICE: Fact = Fact {
    name: "nice",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "The process's niceness: -20 to 19, of which the highest leaves the CPU to all others.",
    long: "Field 19 of /proc/PID/stat; setpriority(2). It is inherited from what started the sandbox, and only the privileged may \
           lower it.",
    example: "nice: { at_most: 19 }",
    observe: |subject, _| {
        let stat = Stat::of(subject)?;
        Ok(reading(stat.number(19)?, &stat.bytes))
    },
    relate: None,
    same_outside: false,
};

/// `signals`
pub(super) const SIGNALS: Fact = Fact {
    name: "signals",
    argument: None,
    kind: Kind::Record(&[
        Field {
            name: "blocked",
            kind: Kind::Set(&Kind::Text),
            brief: "Those that wait until they are let in (sigprocmask(2)).",
        },
        Field { name: "ignored", kind: Kind::Set(&Kind::Text), brief: "Those that do nothing." },
        Field {
            name: "caught",
            kind: Kind::Set(&Kind::Text),
            brief: "Those that the program handles: the agent, as init, reaps its children on SIGCHLD.",
        },
        Field {
            name: "pending",
            kind: Kind::Set(&Kind::Text),
            brief: "Those that wait, for the process or its first thread.",
        },
    ]),
    views: EVERYWHERE,
    brief: "Which signals the process blocks, ignores and handles: `[SIGUSR1, SIGPIPE]`.",
    long: "SigBlk, SigIgn, SigCgt, SigPnd and ShdPnd of /proc/PID/status. What is blocked or ignored is inherited over fork(2) and \
           execve(2) (signal(7)), so that a launcher can take a signal away from all that it starts. Signals from 32 on have their \
           numbers: `signal 34`.",
    example: "signals: { blocked: empty, ignored: empty }",
    observe: |subject, _| signals(&Status::of(subject)?),
    relate: None,
    same_outside: false,
};

/// `personality`
pub(super) const PERSONALITY: Fact = Fact {
    name: "personality",
    argument: None,
    kind: Kind::Record(&[
        Field {
            name: "domain",
            kind: Kind::Int,
            brief: "Whose system calls the process makes: 0 is Linux, 8 is 32-bit Linux.",
        },
        Field {
            name: "flags",
            kind: Kind::Set(&Kind::Word(FLAG_WORDS)),
            brief: "What is otherwise than usual: `[addr_no_randomize]`.",
        },
    ]),
    views: EVERYWHERE,
    brief: "The process's execution domain, and the flags by which the kernel treats it otherwise than usual.",
    long: "/proc/PID/personality; personality(2). It is inherited over fork(2) and execve(2): `addr_no_randomize` makes a program's \
           addresses known, `read_implies_exec` its data executable. Only whoever may trace the process can read the file: root, \
           or the process itself.",
    example: "personality: { domain: 0, flags: empty }",
    observe: |subject, _| {
        let path = subject.proc_file("personality");
        let bytes = read(&path)?;
        let number =
            std::str::from_utf8(trim(&bytes)).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
        Ok(reading(personality(number.ok_or_else(|| malformed(&path, "personality"))?), bytes))
    },
    relate: None,
    same_outside: false,
};

/// The flags of include/uapi/linux/personality.h.
const FLAGS: [(u32, &str); 11] = [
    (0x0002_0000, "uname26"),
    (0x0004_0000, "addr_no_randomize"),
    (0x0008_0000, "fdpic_funcptrs"),
    (0x0010_0000, "mmap_page_zero"),
    (0x0020_0000, "addr_compat_layout"),
    (0x0040_0000, "read_implies_exec"),
    (0x0080_0000, "addr_limit_32bit"),
    (0x0100_0000, "short_inode"),
    (0x0200_0000, "whole_seconds"),
    (0x0400_0000, "sticky_timeouts"),
    (0x0800_0000, "addr_limit_3gb"),
];

const FLAG_WORDS: &[&str] = &[
    "uname26",
    "addr_no_randomize",
    "fdpic_funcptrs",
    "mmap_page_zero",
    "addr_compat_layout",
    "read_implies_exec",
    "addr_limit_32bit",
    "short_inode",
    "whole_seconds",
    "sticky_timeouts",
    "addr_limit_3gb",
];

/// The lowest byte is the domain.
fn personality(number: u32) -> Map<String, Value> {
    let set = FLAGS.iter().filter(|(flag, _)| number & flag != 0);
    let flags: Value = set.map(|(_, name)| *name).collect();
    [("domain".to_owned(), (number & 0xff).into()), ("flags".to_owned(), flags)].into_iter().collect()
}

fn signals(status: &Status) -> Result<Reading, Unobserved> {
    let pending = status.mask("SigPnd")? | status.mask("ShdPnd")?;
    let masks = [
        ("blocked", status.mask("SigBlk")?),
        ("ignored", status.mask("SigIgn")?),
        ("caught", status.mask("SigCgt")?),
        ("pending", pending),
    ];
    let map: Map<String, Value> =
        masks.map(|(name, mask)| (name.to_owned(), names(mask))).into_iter().collect();
    let lines = ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"].map(|field| status.line(field).map(show));
    Ok(reading(map, lines.into_iter().collect::<Result<Vec<_>, _>>()?.join("\n")))
}

/// The lowest bit is signal 1.
fn names(mask: u64) -> Value {
    (1..=64).filter(|number| mask >> (number - 1) & 1 == 1).map(signal_name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn signals_have_names() {
        let check = |mask, expected: Value| assert_eq!(names(mask), expected, "{mask:x}");
        check(0, json!([]));
        check(1 << 9 | 1 << 16, json!(["SIGUSR1", "SIGCHLD"]));
        assert_eq!(names(u64::MAX).as_array().map(Vec::len), Some(64));
    }

    #[test]
    fn a_personality_has_a_domain_and_flags() {
        let check =
            |number, expected: Value| assert_eq!(Value::from(personality(number)), expected, "{number:x}");
        check(0, json!({ "domain": 0, "flags": [] }));
        check(0x0004_0008, json!({ "domain": 8, "flags": ["addr_no_randomize"] }));
        let all: Vec<&str> = FLAGS.iter().map(|(_, name)| *name).collect();
        assert_eq!(all, FLAG_WORDS);
    }

    /// A signal that waits may be meant for the process or for the thread.
    #[test]
    fn signals_are_told_by_what_becomes_of_them() {
        let text = "SigQ:\t0/9\nSigPnd:\t201\nShdPnd:\t801\nSigBlk:\ta01\nSigIgn:\t1000\nSigCgt:\t10000\n";
        let reading = signals(&Status::sample(text.as_bytes())).unwrap();
        let expected = json!({ "blocked": ["SIGHUP", "SIGUSR1", "SIGUSR2"], "ignored": ["SIGPIPE"], "caught": ["SIGCHLD"],
            "pending": ["SIGHUP", "SIGUSR1", "SIGUSR2"] });
        assert_eq!(reading.value, expected);
        assert_eq!(reading.raw, text.trim_end().split_once('\n').unwrap().1);
        let cut = signals(&Status::sample(b"SigPnd:\t0\n")).unwrap_err();
        assert_eq!(cut.reason, "status has no usable ShdPnd line: this kernel does not show it");
    }
}
