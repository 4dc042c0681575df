//! Opening files to read and to write.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;

use super::outcome::{check_path, errno, outcome, unprepared};
use crate::fact::{Attempt, Leaves, Reading, Unobserved};

/// Neither waits for a FIFO's other end nor gains a controlling terminal.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;

/// `open`
pub(super) const OPEN: Attempt = Attempt {
    name: "open",
    object: "PATH",
    brief: "Opens a file or a directory to read it.",
    long: "open(PATH, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), then close. Nothing is read. Opening some devices does \
           something by itself (/dev/watchdog starts its clock, a tape rewinds): do not name those.",
    example: "attempts: { open: { /proc/kcore: denied } }",
    leaves: Leaves::Nothing,
    check: check_path,
    attempt: |path| {
        let opened = OpenOptions::new().read(true).custom_flags(FLAGS).open(path);
        outcome(&format!("open({path:?}, O_RDONLY)"), opened.map(drop).map_err(|error| errno(&error)))
    },
};

/// `write`
pub(super) const WRITE: Attempt = Attempt {
    name: "write",
    object: "PATH",
    brief: "Opens a file to write to it, or creates one that is missing.",
    long: "open(PATH, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) without O_TRUNC, then close: nothing is written. If \
           that gives ENOENT, the file is made with O_CREAT | O_EXCL, closed and unlinked. The kernel decides at open(2), \
           except for files under /proc/sys and the like that also look at each write(2).",
    example: "attempts: { write: { /proc/sysrq-trigger: denied } }",
    leaves: Leaves::NothingIf(is_of_the_kernel),
    check: check_path,
    attempt: write,
};

/// Opened for writing, a file of the image moves from one layer of an overlay to the other, and gets another device and inode.
fn is_of_the_kernel(path: &str) -> bool {
    ["/proc/", "/sys/", "/dev/"].iter().any(|above| path.starts_with(above)) && !path.contains("/..")
}

fn write(path: &str) -> Result<Reading, Unobserved> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(FLAGS);
    match options.open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => create(path, options.create_new(true)),
        opened => {
            outcome(&format!("open({path:?}, O_WRONLY)"), opened.map(drop).map_err(|error| errno(&error)))
        }
    }
}

/// `rewrite`
pub(super) const REWRITE: Attempt = Attempt {
    name: "rewrite",
    object: "PATH",
    brief: "Writes to a file what it holds already: a kernel parameter keeps its value.",
    long: "open(PATH, O_RDONLY) and read, then open(PATH, O_WRONLY) without O_TRUNC and one write(2) of the same bytes. Name \
           only files that take back what they give, as those of /proc/sys do; up to 4096 bytes. The judged call is the opening to write, \
           and then the write, at which the kernel decides of some files under /proc/sys.",
    example: "attempts: { rewrite: { /proc/sys/vm/swappiness: denied } }",
    leaves: Leaves::Something,
    check: check_path,
    attempt: rewrite,
};

/// A kernel parameter is at most a page.
const PAGE: usize = 4096;

fn rewrite(path: &str) -> Result<Reading, Unobserved> {
    let unread = |error: std::io::Error| unprepared(&format!("read({path:?})"), errno(&error));
    let mut bytes = Vec::new();
    let file = OpenOptions::new().read(true).custom_flags(FLAGS).open(path).map_err(unread)?;
    file.take(PAGE as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.is_empty() || bytes.len() > PAGE {
        return Err(unprepared(&format!("{path:?} holds {} bytes or more", bytes.len()), Errno::EINVAL));
    }
    match OpenOptions::new().write(true).custom_flags(FLAGS).open(path) {
        Err(error) => outcome(&format!("open({path:?}, O_WRONLY)"), Err(errno(&error))),
        Ok(mut file) => {
            let written = file.write_all(&bytes);
            outcome(
                &format!("write({path:?}, {} bytes)", bytes.len()),
                written.map_err(|error| errno(&error)),
            )
        }
    }
}

fn create(path: &str, options: &OpenOptions) -> Result<Reading, Unobserved> {
    let created = options.open(path);
    if created.is_ok() {
        // A file that cannot be removed again stays: the sandbox of an attempt is nobody else's.
        drop(std::fs::remove_file(path));
    }
    outcome(
        &format!("open({path:?}, O_WRONLY | O_CREAT | O_EXCL)"),
        created.map(drop).map_err(|error| errno(&error)),
    )
}
