//! Who the process is to the kernel: ids, groups, id maps, and what it can no longer gain.

use serde_json::{Map, Value, json};

use super::evidence::{io_name, lines, malformed, number, read, reading, show, trim, words};
use super::status::Status;
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

const fn int(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Int, brief }
}

const IDS: &[Field] = &[
    int("real", "Whose process it is."),
    int("effective", "Whose permissions it has."),
    int("saved", "What the effective id can be set back to."),
    int("filesystem", "Whose permissions it has for files."),
];

const MAP: Kind = Kind::Record(&[
    int("inside", "The first id in the process's user namespace."),
    int("outside", "The first id that it stands for, as the reader counts."),
    int("count", "How many ids from there on."),
]);

/// `uid`
pub(super) const UID: Fact = Fact {
    name: "uid",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "The process's effective user id.",
    long: "Inside, what geteuid(2) returns. Outside, the same user in the host's numbers: a user namespace maps the one to \
           the other. 65534 is how a user namespace shows an id that it does not map.",
    example: "uid: 0",
    observe: |subject, _| own_or_status(subject, "Uid", || nix::unistd::geteuid().as_raw()),
    relate: None,
    same_outside: false,
};

/// `gid`
pub(super) const GID: Fact = Fact {
    name: "gid",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "The process's effective group id.",
    long: "Inside, what getegid(2) returns. Outside, the same group in the host's numbers.",
    example: "gid: 0",
    observe: |subject, _| own_or_status(subject, "Gid", || nix::unistd::getegid().as_raw()),
    relate: None,
    same_outside: false,
};

/// `uids`
pub(super) const UIDS: Fact = Fact {
    name: "uids",
    argument: None,
    kind: Kind::Record(IDS),
    views: EVERYWHERE,
    brief: "The process's four user ids.",
    long: "Uid of /proc/PID/status; credentials(7).",
    example: "uids: { real: 0, effective: 0 }",
    observe: |subject, _| four_ids(subject, "Uid"),
    relate: None,
    same_outside: false,
};

/// `gids`
pub(super) const GIDS: Fact = Fact {
    name: "gids",
    argument: None,
    kind: Kind::Record(IDS),
    views: EVERYWHERE,
    brief: "The process's four group ids.",
    long: "Gid of /proc/PID/status; credentials(7).",
    example: "gids: { real: 0, effective: 0 }",
    observe: |subject, _| four_ids(subject, "Gid"),
    relate: None,
    same_outside: false,
};

/// `groups`
pub(super) const GROUPS: Fact = Fact {
    name: "groups",
    argument: None,
    kind: Kind::Set(&Kind::Int),
    views: EVERYWHERE,
    brief: "The process's supplementary groups.",
    long: "Inside, what getgroups(2) returns. Outside, Groups of /proc/PID/status in the host's numbers. Groups that are \
           left from what started the sandbox let it reach their files.",
    example: "groups: { none: { more_than: 65534 } }",
    observe: |subject, _| groups(subject),
    relate: None,
    same_outside: false,
};

/// `no_new_privs`
pub(super) const NO_NEW_PRIVS: Fact = Fact {
    name: "no_new_privs",
    argument: None,
    kind: Kind::Bool,
    views: EVERYWHERE,
    brief: "Whether execve(2) can no longer give the process any privileges.",
    long: "Inside, prctl(PR_GET_NO_NEW_PRIVS). Outside, NoNewPrivs of /proc/PID/status, Linux 4.10.",
    example: "no_new_privs: true",
    observe: |subject, _| no_new_privs(subject),
    relate: None,
    same_outside: true,
};

/// `seccomp`
pub(super) const SECCOMP: Fact = Fact {
    name: "seccomp",
    argument: None,
    kind: Kind::Word(&["disabled", "strict", "filter"]),
    views: EVERYWHERE,
    brief: "The process's seccomp mode.",
    long: "Seccomp of /proc/PID/status: seccomp(2). It is read from the file, because a filter may end a process that asks \
           with prctl(2).",
    example: "seccomp: filter",
    observe: |subject, _| {
        let status = Status::of(subject)?;
        let word = match status.number("Seccomp")? {
            0 => "disabled",
            1 => "strict",
            2 => "filter",
            mode => {
                return Err(Unobserved::because(format!("the kernel shows an unknown seccomp mode, {mode}")));
            }
        };
        Ok(reading(word, status.line("Seccomp")?))
    },
    relate: None,
    same_outside: true,
};

/// `seccomp_filters`
pub(super) const SECCOMP_FILTERS: Fact = Fact {
    name: "seccomp_filters",
    argument: None,
    kind: Kind::Int,
    views: EVERYWHERE,
    brief: "How many seccomp filters are on the process.",
    long: "Seccomp_filters of /proc/PID/status, Linux 5.9.",
    example: "seccomp_filters: { at_least: 1 }",
    observe: |subject, _| {
        let status = Status::of(subject)?;
        Ok(reading(status.number("Seccomp_filters")?, status.line("Seccomp_filters")?))
    },
    relate: None,
    same_outside: true,
};

/// `uid_map`
pub(super) const UID_MAP: Fact = Fact {
    name: "uid_map",
    argument: None,
    kind: Kind::List(&MAP),
    views: EVERYWHERE,
    brief: "The user id map of the process's user namespace.",
    long: "/proc/PID/uid_map, user_namespaces(7). `outside` counts as the reader's user namespace does; for a reader in \
           the same namespace as the parent namespace does. Empty until the map is written.",
    example: "uid_map: [{ inside: 0, outside: 100000, count: 65536 }]",
    observe: |subject, _| id_map(subject, "uid_map"),
    relate: None,
    same_outside: false,
};

/// `gid_map`
pub(super) const GID_MAP: Fact = Fact {
    name: "gid_map",
    argument: None,
    kind: Kind::List(&MAP),
    views: EVERYWHERE,
    brief: "The group id map of the process's user namespace.",
    long: "/proc/PID/gid_map, as `uid_map`.",
    example: "gid_map: { none: { outside: 0 } }",
    observe: |subject, _| id_map(subject, "gid_map"),
    relate: None,
    same_outside: false,
};

/// `setgroups`
pub(super) const SETGROUPS: Fact = Fact {
    name: "setgroups",
    argument: None,
    kind: Kind::Word(&["allow", "deny"]),
    views: EVERYWHERE,
    brief: "Whether setgroups(2) is permitted in the process's user namespace.",
    long: "/proc/PID/setgroups, user_namespaces(7), Linux 3.19. An ordinary user's namespace must deny it, since dropping a \
           group could gain access to what is denied to that group (CVE-2014-8989).",
    example: "setgroups: deny",
    observe: |subject, _| {
        let bytes = read(subject.proc_file("setgroups"))?;
        Ok(reading(show(trim(&bytes)), &bytes))
    },
    relate: None,
    same_outside: true,
};

fn own_or_status(subject: &Subject, field: &str, own: fn() -> u32) -> Result<Reading, Unobserved> {
    if subject.pid().is_none() {
        let id = own();
        return Ok(reading(id, format!("effective {field}: {id}")));
    }
    let status = Status::of(subject)?;
    let ids = status.numbers(field)?;
    Ok(reading(*ids.get(1).ok_or_else(|| malformed("status", field))?, status.line(field)?))
}

fn four_ids(subject: &Subject, field: &str) -> Result<Reading, Unobserved> {
    let status = Status::of(subject)?;
    let ids = status.numbers(field)?;
    if ids.len() != IDS.len() {
        return Err(malformed("status", field));
    }
    let map: Map<String, Value> =
        IDS.iter().zip(ids).map(|(field, id)| (field.name.to_owned(), id.into())).collect();
    Ok(reading(map, status.line(field)?))
}

fn groups(subject: &Subject) -> Result<Reading, Unobserved> {
    if subject.pid().is_some() {
        let status = Status::of(subject)?;
        return Ok(reading(status.numbers("Groups")?, status.line("Groups")?));
    }
    let groups = nix::unistd::getgroups()
        .map_err(|errno| Unobserved::because(format!("getgroups() failed: {errno:?}")))?;
    let groups: Vec<u32> = groups.iter().map(|group| group.as_raw()).collect();
    Ok(reading(json!(groups), format!("getgroups() = {groups:?}")))
}

fn no_new_privs(subject: &Subject) -> Result<Reading, Unobserved> {
    if subject.pid().is_some() {
        let status = Status::of(subject)?;
        return Ok(reading(status.number("NoNewPrivs")? == 1, status.line("NoNewPrivs")?));
    }
    let set = rustix::thread::no_new_privs().map_err(|errno| {
        Unobserved::because(format!("prctl(PR_GET_NO_NEW_PRIVS) failed: {}", io_name(&errno.into())))
    })?;
    Ok(reading(set, format!("prctl(PR_GET_NO_NEW_PRIVS) = {}", i32::from(set))))
}

fn id_map(subject: &Subject, name: &str) -> Result<Reading, Unobserved> {
    let path = subject.proc_file(name);
    let bytes = read(&path)?;
    let rows: Option<Vec<Value>> = lines(&bytes).map(map_row).collect();
    Ok(reading(rows.ok_or_else(|| malformed(&path, "row"))?, &bytes))
}

fn map_row(line: &[u8]) -> Option<Value> {
    let row: Vec<i64> = words(line).map(number).collect::<Option<_>>()?;
    let [inside, outside, count] = row[..] else { return None };
    Some(json!({ "inside": inside, "outside": outside, "count": count }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_three_numbers_a_row() {
        let check = |line: &[u8], expected: Option<Value>| assert_eq!(map_row(line), expected);
        check(
            b"         0     100000      65536",
            Some(json!({ "inside": 0, "outside": 100_000, "count": 65_536 })),
        );
        check(b"0 0 4294967295", Some(json!({ "inside": 0, "outside": 0, "count": 4_294_967_295_u32 })));
        check(b"0 0", None);
        check(b"0 x 1", None);
    }
}
