//! Making directories and device nodes.

use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::outcome::{check_path, errno, outcome};
use super::place::{WRITABLE, scratch_name, writable_name};
use crate::fact::{Attempt, Leaves, Reading, Unobserved};

/// `mkdir`
pub(super) const MKDIR: Attempt = Attempt {
    name: "mkdir",
    object: "PATH",
    brief: "Makes a directory.",
    long: "mkdir(PATH, 0777), then rmdir(2). The directory above must be there, and PATH must not.",
    example: "attempts: { mkdir: { /usr/new: denied } }",
    leaves: Leaves::Something,
    check: check_path,
    attempt: |path| {
        let made = std::fs::create_dir(path);
        if made.is_ok() {
            // Only a fresh, empty directory is removed: nothing of the sandbox's own.
            drop(std::fs::remove_dir(path));
        }
        outcome(&format!("mkdir({path:?})"), made.map_err(|error| errno(&error)))
    },
};

/// `mknod`
pub(super) const MKNOD: Attempt = Attempt {
    name: "mknod",
    object: "\"TYPE MAJOR:MINOR\"",
    brief: "Makes a device node: `c 1:3`, `b 7:0`.",
    long: "mknod(2) at a fresh name in the first directory in which a plain file can be made, then unlink(2). `c` is a \
           character device, `b` a block device; `p` alone is a FIFO. The node is not opened: `device` does that.",
    example: "attempts: { mknod: { \"c 1:1\": denied } }",
    leaves: Leaves::Nothing,
    check: |object| parse(object).map(drop),
    attempt: |object| {
        let node = parse(object).map_err(Unobserved::because)?;
        let path = writable_name();
        let made = make(&node, &path);
        if made.is_ok() {
            drop(std::fs::remove_file(&path));
        }
        outcome(&format!("mknod({}, {object:?})", path.display()), made)
    },
};

/// `device`
pub(super) const DEVICE: Attempt = Attempt {
    name: "device",
    object: "\"TYPE MAJOR:MINOR\"",
    brief: "Makes a device node and opens it to read: reaches the device.",
    long: "mknod(2) and open(2) with O_RDONLY | O_NONBLOCK | O_NOCTTY, then close and unlink, in each of several \
           directories until it succeeds in one: a mount with nodev refuses the opening and not the making, and the next \
           may have no nodev. The outcome of a failure is that of the directory that let it come furthest. Nothing is \
           read. Opening some devices does something by itself (10:130 starts the watchdog): do not name those.",
    example: "attempts: { device: { \"b 254:0\": denied } }",
    leaves: Leaves::Nothing,
    check: |object| match parse(object)?.kind {
        SFlag::S_IFIFO => Err("a FIFO is no device: write `c MAJOR:MINOR` or `b MAJOR:MINOR`".to_owned()),
        _ => Ok(()),
    },
    attempt: device,
};

/// What is made.
#[derive(Debug, PartialEq, Eq)]
struct Node {
    kind: SFlag,
    device: u64,
}

/// `c 1:3`, `b 7:0`, `p`.
fn parse(object: &str) -> Result<Node, String> {
    let wrong =
        || format!("`{object}` is no node: write `c 1:3` for a character device, `b 7:0` for a block device");
    if object == "p" {
        return Ok(Node { kind: SFlag::S_IFIFO, device: 0 });
    }
    let (kind, number) = object.split_once(' ').ok_or_else(wrong)?;
    let (major, minor) = number.split_once(':').ok_or_else(wrong)?;
    let (major, minor): (u32, u32) =
        (major.parse().map_err(|_| wrong())?, minor.parse().map_err(|_| wrong())?);
    let kind = match kind {
        "c" => SFlag::S_IFCHR,
        "b" => SFlag::S_IFBLK,
        _ => return Err(wrong()),
    };
    Ok(Node { kind, device: makedev(major.into(), minor.into()) })
}

fn make(node: &Node, path: &Path) -> nix::Result<()> {
    mknod(path, node.kind, Mode::S_IRUSR | Mode::S_IWUSR, node.device)
}

/// How far an attempt in one directory came: the directory was missing, the node was not made, it was not opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Missing,
    Make,
    Open,
}

fn device(object: &str) -> Result<Reading, Unobserved> {
    let node = parse(object).map_err(Unobserved::because)?;
    let mut furthest: Option<(Step, String, Errno)> = None;
    for path in WRITABLE.iter().map(|directory| scratch_name(directory)) {
        let call = |name: &str| format!("{name}({}, {object:?})", path.display());
        let (step, name, errno) = match reach(&node, &path) {
            Ok(()) => return outcome(&call("mknod and open"), Ok(())),
            Err((Step::Open, errno)) => (Step::Open, "open", errno),
            Err((step, errno)) => (step, "mknod", errno),
        };
        if furthest.as_ref().is_none_or(|(before, ..)| step > *before) {
            furthest = Some((step, call(name), errno));
        }
    }
    let (_, call, errno) = furthest.ok_or_else(|| Unobserved::because("no directory to make the node in"))?;
    outcome(&call, Err(errno))
}

/// Makes the node, opens it and removes it.
fn reach(node: &Node, path: &Path) -> Result<(), (Step, Errno)> {
    make(node, path)
        .map_err(|errno| (if errno == Errno::ENOENT { Step::Missing } else { Step::Make }, errno))?;
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let opened = open(path, flags, Mode::empty()).map(drop);
    drop(std::fs::remove_file(path));
    opened.map_err(|errno| (Step::Open, errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_written_as_mknod_does() {
        let check = |object: &str, expected: Option<(SFlag, u64)>| {
            let node = parse(object).ok().map(|node| (node.kind, node.device));
            assert_eq!(node, expected, "{object}");
        };
        check("c 1:3", Some((SFlag::S_IFCHR, makedev(1, 3))));
        check("b 254:1048575", Some((SFlag::S_IFBLK, makedev(254, 1_048_575))));
        check("p", Some((SFlag::S_IFIFO, 0)));
        for wrong in ["", "c", "c 1", "d 1:3", "c 1:x", "c -1:3", "c1:3"] {
            check(wrong, None);
        }
    }
}
