//! What of a process leads out of its own root.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::evidence::{io_name, lines, number, read, reading, words};
use super::vantage::FROM_OUTSIDE;
use super::{Fact, Kind, Subject, Unobserved};

/// `strays`
pub(super) const STRAYS: Fact = Fact {
    name: "strays",
    argument: None,
    kind: Kind::Set(&Kind::Text),
    views: FROM_OUTSIDE,
    brief: "What of the process leads out of its own root: its working directory, `cwd`, or a descriptor of a directory, `fd 7`.",
    long: "A directory is outside if the mount on which it lies (`mnt_id` of proc_pid_fdinfo(5)) is none of those in the process's own \
           /proc/PID/mountinfo, which has those below its root only. From such a directory `..` leads through the host's files: \
           CVE-2024-21626, CVE-2016-9962. A sandbox whose runtime refuses it, and starts it without what is hostile, has none.",
    example: "strays: empty",
    observe: |subject, _| {
        if subject.is_nobody() {
            return Ok(reading(Vec::<String>::new(), "there is no such process"));
        }
        let own = own_mounts(subject)?;
        let mut found = Vec::new();
        if !own.contains(&mount_of(&open(&subject.proc_file("cwd"))?)?) {
            found.push("cwd".to_owned());
        }
        for number in descriptors(subject)? {
            // It may have been closed since it was listed.
            let Ok(file) = open(&subject.proc_file(format!("fd/{number}"))) else { continue };
            if is_directory(&file) && !own.contains(&mount_of(&file)?) {
                found.push(format!("fd {number}"));
            }
        }
        let raw = found.join("\n");
        Ok(reading(found, raw))
    },
    relate: None,
    same_outside: false,
};

/// The numbers of the mounts below its root.
fn own_mounts(subject: &Subject) -> Result<Vec<i64>, Unobserved> {
    let path = subject.proc_file("mountinfo");
    let text = read(&path)?;
    let numbers: Vec<i64> = lines(&text).filter_map(|line| number(words(line).next()?)).collect();
    if numbers.is_empty() {
        return Err(Unobserved::because(format!("{} names no mount", path.display())));
    }
    Ok(numbers)
}

fn open(path: &Path) -> Result<OwnedFd, Unobserved> {
    openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
        Unobserved::because(format!("cannot look at {}: {}", path.display(), io_name(&errno.into())))
    })
}

/// The number of the mount on which an open file lies, in whatever mount namespace that is.
fn mount_of(file: &OwnedFd) -> Result<i64, Unobserved> {
    let path = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let text = read(&path)?;
    let found = lines(&text).find_map(|line| number(line.strip_prefix(b"mnt_id:")?.trim_ascii()));
    found.ok_or_else(|| Unobserved::because(format!("{path} has no mnt_id")))
}

fn descriptors(subject: &Subject) -> Result<Vec<String>, Unobserved> {
    let path = subject.proc_file("fd");
    let listed = std::fs::read_dir(&path).map_err(|error| {
        Unobserved::because(format!("cannot list {}: {}", path.display(), io_name(&error)))
    })?;
    let mut names: Vec<String> =
        listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

fn is_directory(file: &OwnedFd) -> bool {
    fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_where_it_belongs_has_none() {
        let own = Subject::other(i32::try_from(std::process::id()).unwrap(), None);
        for subject in [own, Subject::nobody()] {
            assert_eq!((STRAYS.observe)(&subject, "").unwrap().value, serde_json::json!([]));
        }
    }

    #[test]
    fn who_is_gone_is_not_observed() {
        assert!((STRAYS.observe)(&Subject::other(1 << 22, None), "").is_err());
    }
}
