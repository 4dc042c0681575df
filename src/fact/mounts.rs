//! Mounts: `/proc/PID/mountinfo` parsed from bytes (`proc_pid_mountinfo(5)`), since a mount point need not be UTF-8.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::evidence::{lines, malformed, read, reading, show};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

const fn text(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Text, brief }
}

const fn options(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::List(&Kind::Text), brief }
}

const PROPAGATION: Field = Field {
    name: "propagation",
    kind: Kind::Word(&["private", "shared", "slave", "shared_slave", "unbindable"]),
    brief: "Where mounts made below it spread to.",
};

/// `mounts`
pub(super) const MOUNTS: Fact = Fact {
    name: "mounts",
    argument: Some("PATH"),
    kind: Kind::Record(&[
        Field { name: "mounted", kind: Kind::Bool, brief: "Whether anything is mounted there." },
        Field { name: "layers", kind: Kind::Int, brief: "How many mounts lie over one another there." },
        text("type", "The file system's type: `tmpfs`."),
        text("source", "What is mounted: a device, or a word such as `proc`."),
        text(
            "root",
            "The directory of that file system that is mounted: `/`, or the origin of a bind mount.",
        ),
        options("options", "The mount's own options, in the kernel's order: `[rw, nosuid, relatime]`."),
        options("super_options", "The file system's options, in the kernel's order: `[rw, size=64k]`."),
        PROPAGATION,
    ]),
    views: EVERYWHERE,
    brief: "What is mounted at a path: the topmost mount.",
    long: "/proc/PID/mountinfo, which shows the mounts below the process's root directory. The path must be the mount \
           point itself, as mountinfo has it: symbolic links are not followed. Where nothing is mounted, `mounted` is \
           false and `layers` 0, and there are no other fields. mount_namespaces(7).",
    example: "mounts: { /proc: { type: proc, options: { contains_all: [nosuid, nodev, noexec] } } }",
    observe: |subject, path| observe(subject, path),
    relate: None,
    same_outside: false,
};

/// `mount_points`
pub(super) const MOUNT_POINTS: Fact = Fact {
    name: "mount_points",
    argument: None,
    kind: Kind::List(&Kind::Text),
    views: EVERYWHERE,
    brief: "All mount points that the process sees, in the kernel's order.",
    long: "/proc/PID/mountinfo. A path on which several mounts lie is there several times.",
    example: "mount_points: { none: { starts_with: /home } }",
    observe: |subject, _| {
        let (mounts, raw) = mountinfo(subject)?;
        let points: Vec<Value> = mounts.iter().map(|mount| show(&mount.point).into()).collect();
        Ok(reading(points, raw))
    },
    relate: None,
    same_outside: true,
};

/// A mount as `posture` has it.
pub(super) const SUMMARY: Kind = Kind::Record(&[
    text("type", "The file system's type: `tmpfs`."),
    Field {
        name: "flags",
        kind: Kind::Set(&Kind::Word(&FLAGS)),
        brief: "`ro` or `rw`, and those that restrict: `[ro, nosuid, nodev, noexec]`.",
    },
    PROPAGATION,
]);

/// The flags that say what can be done on a mount. Those of access times do not, and are the host's where it locked them.
const FLAGS: [&str; 6] = ["ro", "rw", "nosuid", "nodev", "noexec", "nosymfollow"];

/// All mounts by path, as `posture` has them: of several on one path the topmost.
pub(super) fn summary(subject: &Subject, _: &str) -> Result<Reading, Unobserved> {
    let (mounts, raw) = mountinfo(subject)?;
    let all: Map<String, Value> = mounts.iter().map(|mount| (show(&mount.point), brief(mount))).collect();
    Ok(reading(all, raw))
}

fn brief(mount: &Mount) -> Value {
    let has = |flag: &str| mount.options.iter().any(|option| option == flag);
    // A mount that is `rw` on a file system that is `ro` cannot be written to.
    let read_only = has("ro") || mount.super_options.iter().any(|option| option == "ro");
    let restricts = |flag: &&str| !matches!(*flag, "ro" | "rw") && has(flag);
    let written = if read_only { "ro" } else { "rw" };
    let flags: Vec<&str> = [written].into_iter().chain(FLAGS.into_iter().filter(restricts)).collect();
    json!({ "type": mount.kind, "flags": flags, "propagation": propagation(&mount.tags) })
}

/// One line of mountinfo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The mounted directory of the file system.
    pub(super) root: Vec<u8>,
    /// Where it is mounted.
    pub(super) point: Vec<u8>,
    options: Vec<String>,
    tags: Vec<String>,
    /// The file system's type.
    pub(super) kind: String,
    /// What is mounted, as the file system names it.
    pub(super) source: String,
    /// The file system's options.
    pub(super) super_options: Vec<String>,
}

/// All mounts of a process, with the bytes they were parsed from.
pub(super) fn mountinfo(subject: &Subject) -> Result<(Vec<Mount>, Vec<u8>), Unobserved> {
    let path = subject.proc_file("mountinfo");
    let bytes = read(&path)?;
    let mounts: Option<Vec<Mount>> = lines(&bytes).map(parse).collect();
    Ok((mounts.ok_or_else(|| malformed(&path, "row"))?, bytes))
}

/// Where something is mounted that this process sees.
pub(crate) fn own_mount_points() -> std::io::Result<Vec<PathBuf>> {
    let bytes = std::fs::read("/proc/self/mountinfo")?;
    let points = lines(&bytes).filter_map(parse).map(|mount| PathBuf::from(OsString::from_vec(mount.point)));
    Ok(points.collect())
}

fn observe(subject: &Subject, path: &str) -> Result<Reading, Unobserved> {
    super::paths::absolute(path)?;
    let (mounts, raw) = mountinfo(subject)?;
    let there: Vec<&Mount> = mounts.iter().filter(|mount| show(&mount.point) == path).collect();
    // A mount on the root of another comes after it in mountinfo, whose order is that of the mount tree.
    let value = match there.last() {
        None => json!({ "mounted": false, "layers": 0 }),
        Some(mount) => record(mount, there.len()),
    };
    Ok(reading(value, raw))
}

fn record(mount: &Mount, layers: usize) -> Value {
    json!({
        "mounted": true,
        "layers": layers,
        "type": mount.kind,
        "source": mount.source,
        "root": show(&mount.root),
        "options": mount.options,
        "super_options": mount.super_options,
        "propagation": propagation(&mount.tags),
    })
}

fn propagation(tags: &[String]) -> &'static str {
    let has = |start: &str| tags.iter().any(|tag| tag.starts_with(start));
    match (has("shared:"), has("master:")) {
        (true, true) => "shared_slave",
        (true, false) => "shared",
        (false, true) => "slave",
        (false, false) if has("unbindable") => "unbindable",
        (false, false) => "private",
    }
}

/// Fields are parted by single spaces, and may be empty: a mount's source can be the empty text.
pub(super) fn parse(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = fields.iter().skip(6).position(|field| *field == b"-")? + 6;
    let [kind, source, super_options] = fields.get(dash + 1..)?.first_chunk::<3>()?;
    Some(Mount {
        root: unescape(fields[3]),
        point: unescape(fields[4]),
        options: option_list(fields[5]),
        tags: fields[6..dash].iter().map(|tag| show(tag)).collect(),
        kind: show(&unescape(kind)),
        source: show(&unescape(source)),
        super_options: option_list(super_options),
    })
}

/// Options keep their order and their repeats; an escaped comma of a value was already split by the kernel's own rules.
fn option_list(field: &[u8]) -> Vec<String> {
    field.split(|byte| *byte == b',').map(|option| show(&unescape(option))).collect()
}

/// The kernel writes space, tab, newline and backslash as three octal digits after a backslash (`mangle_path`).
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'\\').then(|| after.get(..3).and_then(octal)).flatten();
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    bytes
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_here_is_seen() {
        let points = own_mount_points().unwrap();
        // The file itself is read there.
        assert!(points.contains(&PathBuf::from("/proc")), "{points:?}");
    }

    #[test]
    fn rows_are_parsed_from_bytes() {
        let check = |line: &[u8], expected: Value| assert_eq!(record(&parse(line).unwrap(), 1), expected);
        check(
            b"36 35 98:0 /mnt1 /mnt\\0402\\134\\xff rw,noatime,noatime master:1 - ext3 /dev/root rw,errors=continue",
            json!({ "mounted": true, "layers": 1, "type": "ext3", "source": "/dev/root", "root": "/mnt1",
                "options": ["rw", "noatime", "noatime"], "super_options": ["rw", "errors=continue"],
                "propagation": "slave" }),
        );
        check(
            b"1 0 0:1 / / rw shared:3 master:2 propagate_from:1 -  tmpfs  rw",
            json!({ "mounted": true, "layers": 1, "type": "", "source": "tmpfs", "root": "/", "options": ["rw"],
                "super_options": [""], "propagation": "shared_slave" }),
        );
    }

    #[test]
    fn the_flags_that_restrict_are_told() {
        let check = |line: &[u8], flags: Value, propagation: &str| {
            let expected = json!({ "type": "tmpfs", "flags": flags, "propagation": propagation });
            assert_eq!(brief(&parse(line).unwrap()), expected);
        };
        check(b"1 0 0:1 / /a rw,relatime - tmpfs none rw", json!(["rw"]), "private");
        check(
            b"1 0 0:1 / /a rw,nosuid,noexec shared:1 - tmpfs none rw",
            json!(["rw", "nosuid", "noexec"]),
            "shared",
        );
        check(b"1 0 0:1 / /a ro,nodev,noatime master:1 - tmpfs none rw", json!(["ro", "nodev"]), "slave");
        check(b"1 0 0:1 / /a rw unbindable - tmpfs none rw", json!(["rw"]), "unbindable");
        check(
            b"1 0 0:1 / /a rw,nosymfollow - tmpfs none ro,errors=ro",
            json!(["ro", "nosymfollow"]),
            "private",
        );
    }

    #[test]
    fn a_mount_point_need_not_be_text() {
        let mount = parse(b"1 0 0:1 / /a\\040b\\011\\134c\xff rw - tmpfs  rw").unwrap();
        assert_eq!(mount.point, b"/a b\t\\c\xff");
        assert_eq!(show(&mount.point), "/a b\t\\c\\xff");
        assert_eq!((mount.source.as_str(), mount.super_options), ("", vec!["rw".to_owned()]));
    }

    #[test]
    fn a_cut_row_is_no_row() {
        for line in [&b""[..], b"1 2 3", b"1 0 0:1 / / rw", b"1 0 0:1 / / rw - tmpfs tmpfs"] {
            assert_eq!(parse(line), None);
        }
    }

    #[test]
    fn where_nothing_is_mounted_is_a_value() {
        let value = |path| observe(&Subject::oneself(), path).unwrap().value;
        assert_eq!(value("/no/mount/here"), json!({ "mounted": false, "layers": 0 }));
        assert_eq!(value("/proc")["type"], json!("proc"));
    }
}
