//! The content of files.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, OFlags, fstat, major, minor};

use super::evidence::{read_up_to, reading, show};
use super::paths::{absolute, open_in_root, unseen};
use super::vantage::EVERYWHERE;
use super::{Fact, Kind, Reading, Subject, Unobserved};

/// A longer file cannot be observed: half a file must not pass for a whole one.
const CAP: u64 = 1 << 20;

/// `files`
pub(super) const FILES: Fact = Fact {
    name: "files",
    argument: Some("PATH"),
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The content of a file, as text.",
    long: "The whole content, up to 1 MiB. Bytes that are not UTF-8 stand as `\\xff`. Only a regular file is opened, and \
           /dev/null, which is empty: a masked file is such a one. Outside, the path is followed in the process's own root, \
           as openat2(2) does with RESOLVE_IN_ROOT, Linux 5.6; files of /proc then show what the host's reader may see.",
    example: "files: { /etc/hostname: { not: { empty: true } } }",
    observe: |subject, path| observe(subject, path),
    relate: None,
    same_outside: false,
};

fn observe(subject: &Subject, path: &str) -> Result<Reading, Unobserved> {
    absolute(path)?;
    let bytes = read_in_root(subject, path)?;
    Ok(reading(show(&bytes), &bytes))
}

/// The whole content of a file in the process's root.
pub(super) fn read_in_root(subject: &Subject, path: &str) -> Result<Vec<u8>, Unobserved> {
    let found = open_in_root(subject, path, OFlags::PATH).map_err(|errno| unseen(path, errno))?;
    check_type(&found, path)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open_in_root(subject, path, flags).map_err(|errno| unseen(path, errno))?;
    // Something else may have been put in the file's place in between.
    check_type(&file, path)?;
    read_up_to(File::from(file), Path::new(path), CAP)
}

/// Opening a FIFO waits, and opening a device may do something.
fn check_type(file: &OwnedFd, path: &str) -> Result<(), Unobserved> {
    let stat = fstat(file).map_err(|errno| unseen(path, errno))?;
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::CharacterDevice if (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3) => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Err(Unobserved::because(format!("{path} is {what}: only a regular file has a content to read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&str, &str>) {
        let own = i32::try_from(std::process::id()).unwrap();
        for subject in [Subject::oneself(), Subject::other(own, None)] {
            let value = observe(&subject, path).map(|reading| reading.value.as_str().unwrap().to_owned());
            assert_eq!(value.as_deref().map_err(|error| error.reason.as_str()), expected, "{path}");
        }
    }

    #[test]
    fn what_has_no_content_is_not_opened() {
        check("/dev/null", Ok(""));
        check("/proc/sys/kernel/ostype", Ok("Linux\n"));
        check("/dev/zero", Err("/dev/zero is a device: only a regular file has a content to read"));
        check("/proc", Err("/proc is a directory: only a regular file has a content to read"));
        check("/no/such", Err("cannot look at /no/such: ENOENT"));
        check("etc/passwd", Err("`etc/passwd` is not an absolute path"));
    }

    #[test]
    fn a_fifo_does_not_hang_and_a_long_file_is_not_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        nix::unistd::mkfifo(path("fifo").as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(path("long"), vec![b'a'; (1 << 20) + 1]).unwrap();
        std::fs::write(path("bytes"), b"a\xffb").unwrap();
        check(
            &path("fifo"),
            Err(&format!("{} is a FIFO: only a regular file has a content to read", path("fifo"))),
        );
        check(&path("long"), Err(&format!("{} is longer than 1048576 bytes", path("long"))));
        check(&path("bytes"), Ok("a\\xffb"));
    }
}
