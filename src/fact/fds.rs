//! The open file descriptors of a process.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
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

/// How many descriptors of each class, as `posture` has them: the numbers and inodes change from run to run, the classes do not.
pub(super) fn classes(subject: &Subject, _: &str) -> Result<Reading, Unobserved> {
    let all = fds(subject)?;
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (number, target) in all.value.as_object().into_iter().flatten() {
        let link = subject.proc_file("fd").join(number);
        if let Some(class) = class(&link, target.as_str().unwrap_or_default())? {
            *counts.entry(class).or_default() += 1;
        }
    }
    let counts: Map<String, Value> = counts.into_iter().map(|(class, count)| (class, count.into())).collect();
    Ok(reading(counts, all.raw))
}

/// What has no path is told by its link, the rest by what the link leads to, in whatever mount namespace that is.
fn class(link: &Path, target: &str) -> Result<Option<String>, Unobserved> {
    if target.starts_with("anon_inode:") {
        return Ok(Some(target.to_owned()));
    }
    let kind = match std::fs::metadata(link) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(link, &error)),
    };
    let names = [
        (kind.is_fifo(), "pipe"),
        (kind.is_socket(), "socket"),
        (kind.is_dir(), "directory"),
        (kind.is_file(), "file"),
        (kind.is_char_device() || kind.is_block_device(), "device"),
        // A descriptor may be of a symbolic link itself (O_PATH | O_NOFOLLOW); metadata follows it no further.
        (kind.is_symlink(), "symlink"),
    ];
    let name = names.into_iter().find(|(is, _)| *is).map(|(_, name)| name.to_owned());
    // Namespaces are regular files of nsfs, and pidfds of pidfs since Linux 6.9.
    Ok(name.or_else(|| Some(target.to_owned())))
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::epoll::{Epoll, EpollCreateFlags};

    use super::*;

    #[test]
    fn each_descriptor_has_a_class() {
        let (pipe, _other) = std::io::pipe().unwrap();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let check = |fd: std::os::fd::BorrowedFd<'_>, expected: &str| {
            let link = Subject::oneself().proc_file("fd").join(fd.as_raw_fd().to_string());
            let target = show(std::fs::read_link(&link).unwrap().as_os_str().as_encoded_bytes());
            assert_eq!(class(&link, &target).unwrap().as_deref(), Some(expected), "{target}");
        };
        let open = |path: &str| std::fs::File::open(path).unwrap();
        check(pipe.as_fd(), "pipe");
        check(std::os::unix::net::UnixDatagram::unbound().unwrap().as_fd(), "socket");
        check(open("/").as_fd(), "directory");
        check(open("/proc/self/status").as_fd(), "file");
        check(tempfile::tempfile().unwrap().as_fd(), "file");
        check(open("/dev/null").as_fd(), "device");
        check(epoll.0.as_fd(), "anon_inode:[eventpoll]");
    }
}
