//! What is in a directory: the names, and the device nodes of a whole tree.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, major, minor, openat, statat};
use rustix::io::Errno;

use super::evidence::{reading, show};
use super::paths::{absolute, open_in_root, unseen};
use super::vantage::EVERYWHERE;
use super::{Fact, Kind, Subject, Unobserved};

/// More names than this are refused, never cut.
const CAP: usize = 1 << 16;
/// Trees of devices are flat; deeper ones are refused.
const DEPTH: usize = 16;

/// `entries`
pub(super) const ENTRIES: Fact = Fact {
    name: "entries",
    argument: Some("PATH"),
    kind: Kind::Set(&Kind::Text),
    views: EVERYWHERE,
    brief: "The names in a directory.",
    long: "getdents64(2), without `.` and `..`. What cannot be read, or is no directory, is not observed: it is never an \
           empty list. Outside, the path is followed in the process's own root.",
    example: "entries: { /dev/pts: [ptmx] }",
    observe: |subject, path| {
        let directory = directory(subject, path)?;
        let names = names(&directory).map_err(|errno| unseen(path, errno))?;
        within_cap(path, names.len())?;
        let names: Vec<String> = names.iter().map(|name| show(name)).collect();
        let raw = names.join("\n");
        Ok(reading(names, raw))
    },
    relate: None,
};

/// `device_nodes`
pub(super) const DEVICE_NODES: Fact = Fact {
    name: "device_nodes",
    argument: Some("PATH"),
    kind: Kind::Set(&Kind::Text),
    views: EVERYWHERE,
    brief: "All device nodes below a directory: `null c 1:3`.",
    long: "The whole tree, mounts and all, walked without following symbolic links: of each device its path below the \
           directory, `c` or `b`, and its major and minor number. A directory that cannot be read makes the fact unobserved. \
           Nothing is opened but directories.",
    example: "device_nodes: { /dev: { contains: null c 1:3, none: { matches: ' b ' } } }",
    observe: |subject, path| {
        let mut found = Vec::new();
        walk(&directory(subject, path)?, "", DEPTH, &mut found).map_err(|errno| unseen(path, errno))?;
        within_cap(path, found.len())?;
        found.sort_unstable();
        let raw = found.join("\n");
        Ok(reading(found, raw))
    },
    relate: None,
};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn directory(subject: &Subject, path: &str) -> Result<OwnedFd, Unobserved> {
    absolute(path)?;
    open_in_root(subject, path, DIRECTORY).map_err(|errno| unseen(path, errno))
}

fn within_cap(path: &str, count: usize) -> Result<(), Unobserved> {
    if count > CAP {
        return Err(Unobserved::because(format!("{path} has more than {CAP} entries")));
    }
    Ok(())
}

/// At most one name more than the cap.
fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(name.as_slice(), b"." | b"..") && names.len() <= CAP {
            names.push(name);
        }
    }
    Ok(names)
}

fn walk(directory: &OwnedFd, above: &str, depth: usize, found: &mut Vec<String>) -> Result<(), Errno> {
    for name in names(directory)? {
        let stat = match statat(directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
            // It is gone again since it was listed: a terminal that was closed.
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        let path = format!("{above}{}", show(&name));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth == 0 || found.len() > CAP => return Err(Errno::LOOP),
            FileType::Directory => {
                let below = openat(directory, name.as_slice(), DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
                walk(&below, &format!("{path}/"), depth - 1, found)?;
            }
            FileType::CharacterDevice => found.push(node(&path, 'c', &stat)),
            FileType::BlockDevice => found.push(node(&path, 'b', &stat)),
            _ => {}
        }
    }
    Ok(())
}

fn node(path: &str, kind: char, stat: &Stat) -> String {
    format!("{path} {kind} {}:{}", major(stat.st_rdev), minor(stat.st_rdev))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn both(fact: &Fact, path: &str) -> [Result<Value, String>; 2] {
        let own = i32::try_from(std::process::id()).unwrap();
        [Subject::oneself(), Subject::other(own, None)].map(|subject| {
            (fact.observe)(&subject, path).map(|reading| reading.value).map_err(|error| error.reason)
        })
    }

    #[test]
    fn names_are_seen_alike_from_both_sides() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        assert_eq!(both(&ENTRIES, path), [Ok(serde_json::json!([])), Ok(serde_json::json!([]))]);
        std::fs::write(directory.path().join("one"), "").unwrap();
        assert_eq!(both(&ENTRIES, path), [Ok(serde_json::json!(["one"])), Ok(serde_json::json!(["one"]))]);
    }

    #[test]
    fn what_cannot_be_listed_is_not_empty() {
        for fact in [&ENTRIES, &DEVICE_NODES] {
            let missing = "cannot look at /no/such: ENOENT".to_owned();
            assert_eq!(both(fact, "/no/such"), [Err(missing.clone()), Err(missing)]);
            let file = "cannot look at /dev/null: ENOTDIR".to_owned();
            assert_eq!(both(fact, "/dev/null"), [Err(file.clone()), Err(file)]);
        }
    }

    #[test]
    fn devices_are_found_and_nothing_else() {
        let Ok(reading) = (DEVICE_NODES.observe)(&Subject::oneself(), "/dev") else { return };
        let nodes: Vec<&str> = reading.value.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(nodes.contains(&"null c 1:3"), "{nodes:?}");
        assert!(!nodes.iter().any(|node| node.starts_with("fd ")), "{nodes:?}");
    }
}
