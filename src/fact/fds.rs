//! The open file descriptors of a process.

use std::os::fd::AsRawFd;
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use serde_json::{Map, Value};

use super::evidence::{reading, show, unreadable};
use super::vantage::EVERYWHERE;
use super::{Fact, Kind, Reading, Subject, Unobserved};

/// `fds`
pub(super) const FDS: Fact = Fact {
    name: "fds",
    argument: None,
    kind: Kind::Map(&Kind::Text),
    views: EVERYWHERE,
    brief: "The process's open file descriptors: what each number refers to.",
    long: "The links under /proc/PID/fd: a path, `pipe:[4711]`, `socket:[4712]`, `anon_inode:[eventpoll]`. The descriptor \
           with which the directory itself is read is left out. The agent has only 0, 1 and 2, so that any other is one \
           that leaked into the sandbox (CVE-2024-21626).",
    example: "fds: { count: 3 }",
    observe: |subject, _| fds(subject),
    relate: None,
    same_outside: false,
};

fn fds(subject: &Subject) -> Result<Reading, Unobserved> {
    let path = subject.proc_file("fd");
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut directory =
        Dir::open(&path, flags, Mode::empty()).map_err(|errno| unreadable(&path, &errno.into()))?;
    let own = subject.pid().is_none().then(|| directory.as_raw_fd());
    let mut numbers = Vec::new();
    for entry in directory.iter() {
        let entry = entry.map_err(|errno| unreadable(&path, &errno.into()))?;
        numbers.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()));
    }
    numbers.retain(|number| Some(*number) != own);
    numbers.sort_unstable();
    targets(&path, &numbers)
}

/// A descriptor that is closed meanwhile, as another thread may, is no longer one.
fn targets(path: &Path, numbers: &[i32]) -> Result<Reading, Unobserved> {
    let mut map = Map::new();
    for number in numbers {
        let link = path.join(number.to_string());
        match std::fs::read_link(&link) {
            Ok(target) => {
                map.insert(number.to_string(), show(target.as_os_str().as_encoded_bytes()).into());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&link, &error)),
        }
    }
    let raw = Value::from(map.clone()).to_string();
    Ok(reading(map, raw))
}
