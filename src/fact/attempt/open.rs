//! Opening files to read and to write.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

use super::outcome::{check_path, errno, outcome};
use crate::fact::{Attempt, Reading, Unobserved};

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
    check: check_path,
    attempt: write,
};

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
