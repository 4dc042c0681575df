//! The cgroups of a process and their limits, alike on cgroup v1, v2 and both.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::evidence::{lines, malformed, number, read, reading, show, trim, words};
use super::mounts::{Mount, mountinfo};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};

const fn limit(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Limit, brief }
}

/// `cgroup`
pub(super) const CGROUP: Fact = Fact {
    name: "cgroup",
    argument: None,
    kind: Kind::Record(&[
        Field {
            name: "path",
            kind: Kind::Text,
            brief: "The path of the cgroup that limits memory: in the memory hierarchy of v1, else in that of v2.",
        },
        Field {
            name: "paths",
            kind: Kind::Map(&Kind::Text),
            brief: "The path in each hierarchy, by controller; that of v2 as `unified`.",
        },
        Field { name: "controllers", kind: Kind::Set(&Kind::Text), brief: "The controllers at work there." },
        limit("memory.max", "The memory limit in bytes."),
        Field { name: "memory.current", kind: Kind::Int, brief: "The memory in use, in bytes." },
        limit("memory.swap.max", "The swap limit in bytes; on v1, the limit of memory and swap together."),
        Field {
            name: "memory.oom_kill",
            kind: Kind::Int,
            brief: "How often the OOM killer ended a process there.",
        },
        limit("pids.max", "The limit of processes and threads."),
        Field { name: "pids.current", kind: Kind::Int, brief: "How many there are." },
        Field {
            name: "cpu.max",
            kind: Kind::Text,
            brief: "The CPU quota and its period in microseconds: `50000 100000`, or `max 100000`.",
        },
    ]),
    views: EVERYWHERE,
    brief: "The process's cgroups, with their limits.",
    long: "cgroups(7). /proc/PID/cgroup for the paths, which count from the reader's cgroup namespace. The files are read in \
           the cgroup file systems that the reader itself has mounted: those of the host from outside, and from inside \
           those in the sandbox. A limit is there only where its file is: a cgroup without the controller, the root \
           cgroup, or a sandbox without a cgroup file system has none. Names are those of v2; the files of v1 \
           (memory.limit_in_bytes, cpu.cfs_quota_us, …) are read into the same form.",
    example: "cgroup: { path: { not: { empty: true } } }",
    observe: |subject, _| observe(subject),
    relate: None,
    same_outside: false,
};

/// How the text of a file becomes a value.
type Parse = fn(&[u8]) -> Option<Value>;

/// A file's name, and how to read it.
type Source = (&'static str, Parse);

/// A field, its controller, its file on v2 and on v1.
const FILES: [(&str, &str, Source, Source); 6] = [
    ("memory.max", "memory", ("memory.max", limit_value), ("memory.limit_in_bytes", limit_value)),
    ("memory.current", "memory", ("memory.current", plain), ("memory.usage_in_bytes", plain)),
    (
        "memory.swap.max",
        "memory",
        ("memory.swap.max", limit_value),
        ("memory.memsw.limit_in_bytes", limit_value),
    ),
    ("memory.oom_kill", "memory", ("memory.events", oom_kill), ("memory.oom_control", oom_kill)),
    ("pids.max", "pids", ("pids.max", limit_value), ("pids.max", limit_value)),
    ("pids.current", "pids", ("pids.current", plain), ("pids.current", plain)),
];

/// One hierarchy: its controllers (none for v2), and the process's path in it.
struct Hierarchy {
    controllers: Vec<String>,
    path: Vec<u8>,
}

impl Hierarchy {
    fn is_unified(&self) -> bool {
        self.controllers.is_empty()
    }
}

fn observe(subject: &Subject) -> Result<Reading, Unobserved> {
    let file = subject.proc_file("cgroup");
    let raw = read(&file)?;
    let hierarchies: Option<Vec<Hierarchy>> = lines(&raw).map(parse).collect();
    let hierarchies = hierarchies.ok_or_else(|| malformed(&file, "row"))?;
    let (mounts, _) = mountinfo(&Subject::oneself())?;
    let mut map = Map::new();
    add_paths(&mut map, &hierarchies);
    add_controllers(&mut map, &hierarchies, &mounts);
    for (name, controller, v2, v1) in FILES {
        if let Some(value) = value(&hierarchies, &mounts, controller, v2, v1)? {
            map.insert(name.to_owned(), value);
        }
    }
    if let Some(quota) = cpu_max(&hierarchies, &mounts)? {
        map.insert("cpu.max".to_owned(), quota.into());
    }
    let raw = format!("{}{}", show(&raw), Value::from(map.clone()));
    Ok(reading(map, raw))
}

/// `8:pids:/r1`, `0::/user.slice`. A path may hold a colon.
fn parse(line: &[u8]) -> Option<Hierarchy> {
    let mut parts = line.splitn(3, |byte| *byte == b':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let names = controllers.split(|byte| *byte == b',').filter(|name| !name.is_empty());
    Some(Hierarchy { controllers: names.map(show).collect(), path: path.to_vec() })
}

/// The hierarchy that has this controller: v1's if one claims it, else v2.
fn hierarchy<'h>(hierarchies: &'h [Hierarchy], controller: &str) -> Option<&'h Hierarchy> {
    let has = |hierarchy: &&Hierarchy| hierarchy.controllers.iter().any(|name| name == controller);
    hierarchies.iter().find(has).or_else(|| hierarchies.iter().find(|hierarchy| hierarchy.is_unified()))
}

fn add_paths(map: &mut Map<String, Value>, hierarchies: &[Hierarchy]) {
    if let Some(memory) = hierarchy(hierarchies, "memory") {
        map.insert("path".to_owned(), show(&memory.path).into());
    }
    let mut paths = Map::new();
    for hierarchy in hierarchies {
        let names = hierarchy.controllers.iter().map(String::as_str);
        for name in names.chain(hierarchy.is_unified().then_some("unified")) {
            paths.insert(name.to_owned(), show(&hierarchy.path).into());
        }
    }
    map.insert("paths".to_owned(), paths.into());
}

/// Left out where the v2 hierarchy is there but its list cannot be read: it would be half a list.
fn add_controllers(map: &mut Map<String, Value>, hierarchies: &[Hierarchy], mounts: &[Mount]) {
    let named = |name: &&String| !name.starts_with("name=");
    let mut controllers: Vec<String> =
        hierarchies.iter().flat_map(|hierarchy| &hierarchy.controllers).filter(named).cloned().collect();
    if let Some(unified) = hierarchies.iter().find(|hierarchy| hierarchy.is_unified()) {
        let Some(bytes) =
            directory(unified, mounts, "").and_then(|path| read(path.join("cgroup.controllers")).ok())
        else {
            return;
        };
        controllers.extend(words(&bytes).map(show));
    }
    map.insert("controllers".to_owned(), json!(controllers));
}

/// The directory of the process's cgroup in the reader's file systems, if a mount of the hierarchy covers it.
fn directory(hierarchy: &Hierarchy, mounts: &[Mount], controller: &str) -> Option<PathBuf> {
    let fits = |mount: &&Mount| {
        if hierarchy.is_unified() {
            mount.kind == "cgroup2"
        } else {
            mount.kind == "cgroup" && mount.super_options.iter().any(|option| option == controller)
        }
    };
    mounts.iter().rev().filter(fits).find_map(|mount| below(mount, &hierarchy.path))
}

/// A mount may show only a part of the hierarchy: its root is taken off the path.
fn below(mount: &Mount, path: &[u8]) -> Option<PathBuf> {
    let root = Path::new(OsStr::from_bytes(&mount.root));
    let rest = Path::new(OsStr::from_bytes(path)).strip_prefix(root).ok()?;
    let directory = Path::new(OsStr::from_bytes(&mount.point)).join(rest);
    directory.is_dir().then_some(directory)
}

fn value(
    hierarchies: &[Hierarchy],
    mounts: &[Mount],
    controller: &str,
    v2: Source,
    v1: Source,
) -> Result<Option<Value>, Unobserved> {
    let Some(hierarchy) = hierarchy(hierarchies, controller) else { return Ok(None) };
    let Some(directory) = directory(hierarchy, mounts, controller) else { return Ok(None) };
    let (name, parse) = if hierarchy.is_unified() { v2 } else { v1 };
    let path = directory.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read(&path)?;
    Ok(Some(parse(&bytes).ok_or_else(|| malformed(&path, "value"))?))
}

fn cpu_max(hierarchies: &[Hierarchy], mounts: &[Mount]) -> Result<Option<String>, Unobserved> {
    let part = |v2, v1| value(hierarchies, mounts, "cpu", (v2, text), (v1, text));
    let quota = part("cpu.max", "cpu.cfs_quota_us")?;
    let Some(quota) = quota.as_ref().and_then(Value::as_str) else { return Ok(None) };
    if quota.contains(' ') {
        return Ok(Some(quota.to_owned()));
    }
    let period = part("cpu.max", "cpu.cfs_period_us")?;
    let quota = if quota == "-1" { "max" } else { quota };
    Ok(period.as_ref().and_then(Value::as_str).map(|period| format!("{quota} {period}")))
}

/// `max`, and what v1 writes for no limit: the largest multiple of a page in 63 bits (`PAGE_COUNTER_MAX`), and -1.
fn limit_value(bytes: &[u8]) -> Option<Value> {
    if trim(bytes) == b"max" {
        return Some(json!("unlimited"));
    }
    let number = number(bytes)?;
    let none = !(0..i64::MAX - 0xffff).contains(&number);
    Some(if none { json!("unlimited") } else { json!(number) })
}

fn plain(bytes: &[u8]) -> Option<Value> {
    number(bytes).map(Value::from)
}

fn text(bytes: &[u8]) -> Option<Value> {
    (!trim(bytes).is_empty()).then(|| show(trim(bytes)).into())
}

fn oom_kill(bytes: &[u8]) -> Option<Value> {
    lines(bytes).find_map(|line| line.strip_prefix(b"oom_kill ")).and_then(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_one_word() {
        let check = |text: &[u8], expected: Value| assert_eq!(limit_value(text), Some(expected));
        check(b"max\n", json!("unlimited"));
        check(b"9223372036854771712\n", json!("unlimited"));
        check(b"-1\n", json!("unlimited"));
        check(b"67108864\n", json!(67_108_864));
        // A pebibyte is a limit, however far from any machine.
        check(b"1125899906842624\n", json!(1_u64 << 50));
        check(b"0\n", json!(0));
        assert_eq!(limit_value(b"many"), None);
    }

    #[test]
    fn a_path_may_hold_a_colon() {
        let row = parse(b"4:cpu,cpuacct:/a:b").unwrap();
        assert_eq!(
            (row.controllers, row.path),
            (vec!["cpu".to_owned(), "cpuacct".to_owned()], b"/a:b".to_vec())
        );
        assert!(parse(b"0::/x").unwrap().is_unified());
        assert!(parse(b"0:x").is_none());
    }

    #[test]
    fn both_versions_are_read_into_one_form() {
        let check = |group: &[u8], mount: &str, files: &[(&str, &str)]| {
            let directory = tempfile::tempdir().unwrap();
            std::fs::create_dir(directory.path().join("box")).unwrap();
            for (name, text) in files {
                std::fs::write(directory.path().join("box").join(name), text).unwrap();
            }
            let line = mount.replace("POINT", directory.path().to_str().unwrap());
            let mounts = [super::super::mounts::parse(line.as_bytes()).unwrap()];
            let hierarchies = [parse(group).unwrap()];
            let read = |(name, controller, v2, v1): (&str, &str, Source, Source)| {
                let value = value(&hierarchies, &mounts, controller, v2, v1).unwrap();
                (name.to_owned(), value.unwrap_or_default())
            };
            let mut values: Map<String, Value> = FILES.into_iter().map(read).collect();
            values.insert("cpu.max".to_owned(), cpu_max(&hierarchies, &mounts).unwrap().into());
            let expected = json!({ "memory.max": 64, "memory.current": 7, "memory.swap.max": "unlimited",
                "memory.oom_kill": 2, "pids.max": 10, "pids.current": 1, "cpu.max": "max 100000" });
            assert_eq!(Value::from(values), expected);
        };
        let v2 = [
            ("memory.max", "64\n"),
            ("memory.current", "7\n"),
            ("memory.swap.max", "max\n"),
            ("memory.events", "oom 2\noom_kill 2\n"),
            ("pids.max", "10\n"),
            ("pids.current", "1\n"),
            ("cpu.max", "max 100000\n"),
        ];
        let v1 = [
            ("memory.limit_in_bytes", "64\n"),
            ("memory.usage_in_bytes", "7\n"),
            ("memory.memsw.limit_in_bytes", "9223372036854771712\n"),
            ("memory.oom_control", "under_oom 0\noom_kill 2\n"),
            ("pids.max", "10\n"),
            ("pids.current", "1\n"),
            ("cpu.cfs_quota_us", "-1\n"),
            ("cpu.cfs_period_us", "100000\n"),
        ];
        check(b"0::/box", "1 0 0:1 / POINT rw - cgroup2 none rw", &v2);
        // A mount that shows only a part of the hierarchy.
        check(b"0::/outer/box", "1 0 0:1 /outer POINT rw - cgroup2 none rw", &v2);
        check(b"3:cpu,memory,pids:/box", "1 0 0:1 / POINT rw - cgroup none rw,cpu,memory,pids", &v1);
    }

    #[test]
    fn a_kill_is_counted() {
        assert_eq!(oom_kill(b"low 0\noom 1\noom_kill 2\noom_group_kill 0\n"), Some(json!(2)));
        assert_eq!(oom_kill(b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(json!(3)));
    }

    fn mount(line: &str, point: &Path) -> Mount {
        super::super::mounts::parse(line.replace("POINT", point.to_str().unwrap()).as_bytes()).unwrap()
    }

    #[test]
    fn the_memory_hierarchy_has_the_path() {
        let check = |rows: &[&[u8]], expected: Value| {
            let hierarchies: Vec<Hierarchy> = rows.iter().map(|row| parse(row).unwrap()).collect();
            let mut map = Map::new();
            add_paths(&mut map, &hierarchies);
            assert_eq!(Value::from(map), expected);
        };
        check(&[b"0::/u"], json!({ "path": "/u", "paths": { "unified": "/u" } }));
        check(
            &[b"3:cpu,cpuacct:/c", b"2:memory:/m", b"0::/u"],
            json!({ "path": "/m", "paths": { "cpu": "/c", "cpuacct": "/c", "memory": "/m", "unified": "/u" } }),
        );
        check(&[b"3:cpu:/c", b"0::/u"], json!({ "path": "/u", "paths": { "cpu": "/c", "unified": "/u" } }));
        check(&[b"3:cpu:/c"], json!({ "paths": { "cpu": "/c" } }));
    }

    #[test]
    fn the_controllers_of_both_versions_are_one_list() {
        let directory = tempfile::tempdir().unwrap();
        let check = |rows: &[&[u8]], expected: Option<Value>| {
            let hierarchies: Vec<Hierarchy> = rows.iter().map(|row| parse(row).unwrap()).collect();
            let mounts = [mount("1 0 0:1 / POINT rw - cgroup2 none rw", directory.path())];
            let mut map = Map::new();
            add_controllers(&mut map, &hierarchies, &mounts);
            assert_eq!(map.get("controllers"), expected.as_ref());
        };
        check(&[b"3:cpu,cpuacct:/", b"1:name=systemd:/"], Some(json!(["cpu", "cpuacct"])));
        // Half a list is none.
        check(&[b"3:cpu:/", b"0::/"], None);
        std::fs::write(directory.path().join("cgroup.controllers"), "memory pids\n").unwrap();
        check(&[b"3:cpu:/", b"0::/"], Some(json!(["cpu", "memory", "pids"])));
        check(&[b"0::/not/mounted"], None);
    }

    /// On version 1 each controller may have a file system of its own, and the last that is mounted is on top.
    #[test]
    fn a_limit_is_read_in_the_file_system_of_its_controller() {
        let (pids, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mounts = [
            mount("1 0 0:1 / POINT rw - cgroup none rw,pids", pids.path()),
            mount("2 0 0:2 / POINT rw - cgroup none rw,freezer", other.path()),
            mount("3 0 0:3 / POINT rw - tmpfs none rw,pids", other.path()),
        ];
        for (place, text) in [(&pids, "7"), (&other, "8")] {
            std::fs::write(place.path().join("pids.max"), text).unwrap();
        }
        let source: Source = ("pids.max", limit_value);
        let hierarchies = [parse(b"4:freezer:/").unwrap(), parse(b"3:pids:/").unwrap()];
        assert_eq!(value(&hierarchies, &mounts, "pids", source, source).unwrap(), Some(json!(7)));
        assert_eq!(value(&hierarchies, &mounts, "memory", source, source).unwrap(), None);
    }
}
