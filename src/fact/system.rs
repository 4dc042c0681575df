//! What a process sees of the system: uname, host name, release files, time offsets.

use serde_json::{Map, Value, json};

use super::evidence::{io_name, lines, malformed, number, read, reading, show, trim, words};
use super::files::read_in_root;
use super::vantage::{EVERYWHERE, ITSELF};
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

const fn text(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Text, brief }
}

/// `uname`
pub(super) const UNAME: Fact = Fact {
    name: "uname",
    argument: None,
    kind: Kind::Record(&[
        text("sysname", "The operating system: `Linux`."),
        text("release", "The kernel's release: `6.12.8-amd64`."),
        text("version", "The kernel's build: `#1 SMP PREEMPT_DYNAMIC …`."),
        text("machine", "The hardware: `x86_64`."),
        text("nodename", "The host name of the UTS namespace."),
        text("domainname", "The NIS domain name of the UTS namespace."),
    ]),
    views: ITSELF,
    brief: "What uname(2) returns.",
    long: "A UTS namespace has its own nodename and domainname only (uts_namespaces(7)): all else is the kernel's own, in \
           every sandbox on it.",
    example: "uname: { sysname: Linux, release: { same_as: host } }",
    observe: |_, _| Ok(uname()),
    relate: None,
    same_outside: false,
};

/// `hostname`
pub(super) const HOSTNAME: Fact = Fact {
    name: "hostname",
    argument: None,
    kind: Kind::Text,
    views: ITSELF,
    brief: "The host name of the UTS namespace.",
    long: "The nodename that uname(2) returns; sethostname(2), uts_namespaces(7).",
    example: "hostname: { not: { empty: true } }",
    observe: |_, _| {
        let uname = rustix::system::uname();
        Ok(reading(show(uname.nodename().to_bytes()), uname.nodename().to_bytes()))
    },
    relate: None,
    same_outside: false,
};

/// `os_release`
pub(super) const OS_RELEASE: Fact = Fact {
    name: "os_release",
    argument: None,
    kind: Kind::Map(&Kind::Text),
    views: EVERYWHERE,
    brief: "The variables of /etc/os-release.",
    long: "os-release(5): /etc/os-release, or /usr/lib/os-release where that is missing. Quotes are taken off.",
    example: "os_release: { ID: debian }",
    observe: |subject, _| {
        let first = read_in_root(subject, "/etc/os-release");
        let bytes = first.or_else(|error| read_in_root(subject, "/usr/lib/os-release").map_err(|_| error))?;
        Ok(reading(os_release(&bytes), &bytes))
    },
    relate: None,
    same_outside: false,
};

/// `time_offsets`
pub(super) const TIME_OFFSETS: Fact = Fact {
    name: "time_offsets",
    argument: None,
    kind: Kind::Record(&[
        Field {
            name: "monotonic",
            kind: Kind::Int,
            brief: "The offset of CLOCK_MONOTONIC in whole seconds.",
        },
        Field { name: "monotonic_nanoseconds", kind: Kind::Int, brief: "Its nanoseconds." },
        Field { name: "boottime", kind: Kind::Int, brief: "The offset of CLOCK_BOOTTIME in whole seconds." },
        Field { name: "boottime_nanoseconds", kind: Kind::Int, brief: "Its nanoseconds." },
    ]),
    views: EVERYWHERE,
    brief: "The clock offsets of the time namespace.",
    long: "/proc/PID/timens_offsets, time_namespaces(7), Linux 5.6. They are those of the time namespace that the \
           process's children will be in.",
    example: "time_offsets: { monotonic: 0, boottime: 0 }",
    observe: |subject, _| time_offsets(subject),
    relate: None,
    same_outside: true,
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
    same_outside: false,
};

fn uname() -> Reading {
    let uname = rustix::system::uname();
    let fields = [
        ("sysname", uname.sysname()),
        ("release", uname.release()),
        ("version", uname.version()),
        ("machine", uname.machine()),
        ("nodename", uname.nodename()),
        ("domainname", uname.domainname()),
    ];
    let map: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), show(value.to_bytes()).into())).collect();
    let raw = format!("{uname:?}");
    reading(map, raw)
}

/// Assignments as os-release(5) has them: comments and blank lines are skipped, quotes and shell escapes taken off.
fn os_release(bytes: &[u8]) -> Map<String, Value> {
    let mut map = Map::new();
    for line in lines(bytes).map(show).filter(|line| !line.trim_start().starts_with('#')) {
        if let Some((name, value)) = line.split_once('=') {
            map.insert(name.trim().to_owned(), unquote(value.trim()).into());
        }
    }
    map
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return if quote == '"' { unescape(inner) } else { inner.to_owned() };
        }
    }
    unescape(value)
}

/// Takes the backslash off the five characters that os-release(5) lets a value escape.
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = character == '\\' && characters.peek().is_some_and(|next| "\"$\\`'".contains(*next));
        text.push(if escaped { characters.next().unwrap_or(character) } else { character });
    }
    text
}

fn time_offsets(subject: &Subject) -> Result<Reading, Unobserved> {
    let path = subject.proc_file("timens_offsets");
    let bytes = std::fs::read(&path).map_err(|error| {
        Unobserved::because(format!("cannot read {}: {}", path.display(), io_name(&error)))
    })?;
    let mut map = Map::new();
    for line in lines(&bytes) {
        let row: Vec<&[u8]> = words(line).collect();
        let [clock, seconds, nanoseconds] = row[..] else { return Err(malformed(&path, "row")) };
        let value = |word| number(word).ok_or_else(|| malformed(&path, "number"));
        map.insert(show(clock), json!(value(seconds)?));
        map.insert(format!("{}_nanoseconds", show(clock)), json!(value(nanoseconds)?));
    }
    Ok(reading(map, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_files_are_read_as_a_shell_would() {
        let text =
            b"# a comment\nID=debian\nNAME=\"A \\\"B\\\" \\$C\"\nX='it\\'\n\n  Y = z \nurl=https://a/?b=c\n";
        let expected =
            json!({ "ID": "debian", "NAME": "A \"B\" $C", "X": "it\\", "Y": "z", "url": "https://a/?b=c" });
        assert_eq!(Value::from(os_release(text)), expected);
    }
}
