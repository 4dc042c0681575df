//! The capability sets of a process.

use rustix::thread::CapabilitySet;
use serde_json::{Map, Value};

use super::evidence::{io_name, reading};
use super::status::Status;
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};
use crate::sys;

/// The words for the bits: the names of the capabilities, and `cap_41` and so on for those that a later kernel may have. A
/// closed set, so that a misspelt name is an error and not a capability that no process has.
const NAMES: [&str; 64] = {
    let mut names = UNNAMED;
    let mut bit = 0;
    while bit < sys::CAPABILITIES.len() {
        names[bit] = sys::CAPABILITIES[bit];
        bit += 1;
    }
    names
};

#[rustfmt::skip]
const UNNAMED: [&str; 64] = [
    "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "",
    "", "", "", "", "", "", "", "", "", "", "cap_41", "cap_42", "cap_43", "cap_44", "cap_45", "cap_46", "cap_47", "cap_48", "cap_49", "cap_50", "cap_51", "cap_52", "cap_53", "cap_54", "cap_55", "cap_56", "cap_57", "cap_58", "cap_59", "cap_60", "cap_61", "cap_62", "cap_63",
];

/// The sets with their lines in `/proc/PID/status`.
const SETS: [(&str, &str); 5] = [
    ("effective", "CapEff"),
    ("permitted", "CapPrm"),
    ("inheritable", "CapInh"),
    ("bounding", "CapBnd"),
    ("ambient", "CapAmb"),
];

const WORD: Kind = Kind::Word(&NAMES);

const fn set(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Set(&WORD), brief }
}

/// `capabilities`
pub(super) const CAPABILITIES: Fact = Fact {
    name: "capabilities",
    argument: None,
    kind: Kind::Record(&[
        set("effective", "What the kernel's permission checks look at."),
        set("permitted", "What the process may make effective."),
        set("inheritable", "What a program file can make permitted."),
        set("bounding", "What execve(2) can give at most."),
        set("ambient", "What stays over execve(2) of an ordinary program."),
    ]),
    views: EVERYWHERE,
    brief: "The process's five capability sets, named in lower case without `CAP_`.",
    long: "capabilities(7). Inside, capget(2) and prctl(2); outside, the Cap… lines of /proc/PID/status. They count in the \
           process's own user namespace. A capability that is newer than airtight shows as its number, `cap_41`.",
    example: "capabilities: { effective: { none: { one_of: [sys_admin, sys_module, sys_rawio] } } }",
    observe: |subject, _| {
        let masks = if subject.pid().is_some() { masks_of(subject)? } else { own_masks()? };
        let map: Map<String, Value> = SETS
            .iter()
            .zip(masks)
            .map(|((name, _), mask)| ((*name).to_owned(), names(mask).into()))
            .collect();
        let raw: Vec<String> =
            SETS.iter().zip(masks).map(|((_, line), mask)| format!("{line}: {mask:016x}")).collect();
        Ok(Reading { raw: raw.join("\n"), ..reading(map, "") })
    },
    relate: None,
    same_outside: true,
};

fn masks_of(subject: &Subject) -> Result<[u64; 5], Unobserved> {
    let status = Status::of(subject)?;
    let mut masks = [0; 5];
    for (mask, (_, line)) in masks.iter_mut().zip(SETS) {
        *mask = status.mask(line)?;
    }
    Ok(masks)
}

fn own_masks() -> Result<[u64; 5], Unobserved> {
    let sets = rustix::thread::capabilities(None).map_err(|errno| failed("capget", errno))?;
    let bounding = probe("PR_CAPBSET_READ", rustix::thread::capability_is_in_bounding_set)?;
    let ambient = probe("PR_CAP_AMBIENT_IS_SET", rustix::thread::capability_is_in_ambient_set)?;
    Ok([sets.effective.bits(), sets.permitted.bits(), sets.inheritable.bits(), bounding, ambient])
}

/// Asks bit by bit, as prctl(2) wants it; EINVAL tells the first number that the kernel does not know.
fn probe(call: &str, ask: fn(CapabilitySet) -> rustix::io::Result<bool>) -> Result<u64, Unobserved> {
    let mut mask = 0;
    for bit in 0..u64::BITS {
        match ask(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(held) => mask |= u64::from(held) << bit,
            Err(rustix::io::Errno::INVAL) if bit > 0 => break,
            Err(errno) => return Err(failed(&format!("prctl({call})"), errno)),
        }
    }
    Ok(mask)
}

fn failed(call: &str, errno: rustix::io::Errno) -> Unobserved {
    Unobserved::because(format!("{call} failed: {}", io_name(&errno.into())))
}

fn names(mask: u64) -> Vec<&'static str> {
    NAMES.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_has_a_name() {
        let check = |mask, expected: &[&str]| assert_eq!(names(mask), expected);
        check(0, &[]);
        check(1, &["chown"]);
        check(1 << 21 | 1 << 10, &["net_bind_service", "sys_admin"]);
        check(1 << 40 | 1 << 41 | 1 << 63, &["checkpoint_restore", "cap_41", "cap_63"]);
    }

    #[test]
    fn both_ways_to_read_agree() {
        let other = Subject::other(nix::unistd::gettid().as_raw(), None);
        let masks = masks_of(&other).unwrap();
        assert_eq!(own_masks().unwrap(), masks);
        let read = |subject: &Subject| (CAPABILITIES.observe)(subject, "").unwrap();
        assert_eq!(read(&Subject::oneself()), read(&other));
        assert_eq!(read(&other).raw.lines().next().unwrap(), format!("CapEff: {:016x}", masks[0]));
    }

    /// The kernel knows the numbers up to one, and refuses the next; one that refuses the first is asked for something else.
    #[test]
    fn the_first_number_that_is_not_known_ends_the_set() {
        type Answer = rustix::io::Result<bool>;
        let check = |ask: fn(CapabilitySet) -> Answer, expected: Result<u64, &str>| {
            let found = probe("PR_X", ask).map_err(|why| why.reason);
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let ends_after_three = |set: CapabilitySet| match set.bits() {
            1 | 4 => Ok(true),
            2 => Ok(false),
            _ => Err(rustix::io::Errno::INVAL),
        };
        check(ends_after_three, Ok(5));
        check(|_| Ok(true), Ok(u64::MAX));
        check(|_| Err(rustix::io::Errno::INVAL), Err("prctl(PR_X) failed: EINVAL"));
        check(|_| Err(rustix::io::Errno::PERM), Err("prctl(PR_X) failed: EPERM"));
    }
}
