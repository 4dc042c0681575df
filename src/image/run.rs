//! Foreign programs, with a bound on their time.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The most of a program's output that is read.
const OUTPUT: u64 = 4 << 20;

/// What a program has said.
#[derive(Debug)]
pub(super) struct Said {
    /// How it ended; by SIGKILL, if its time was over.
    pub(super) status: ExitStatus,
    /// Its standard output.
    pub(super) output: String,
    /// Its standard error.
    pub(super) error: String,
}

/// Runs a program without input. It writes into files: a pipe could fill up, or be held open by what it leaves behind.
pub(super) fn run(command: &mut Command, longest: Duration) -> io::Result<Said> {
    let (mut output, mut error) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let command = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(error.try_clone()?);
    let mut child = command.spawn()?;
    if !ends_by(&child, Instant::now() + longest) {
        child.kill()?;
    }
    let status = child.wait()?;
    let read = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(OUTPUT).read_to_end(&mut bytes)?;
        io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Said { status, output: read(&mut output)?, error: read(&mut error)? })
}

/// Waits on a pidfd, which becomes readable when the process ends (`pidfd_open(2)`). False, if it still runs at the deadline.
pub(super) fn ends_by(child: &Child, deadline: Instant) -> bool {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(Ok(pidfd)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return true };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn check(line: &str, longest: Duration) -> Said {
        run(Command::new("sh").args(["-c", line]), longest).unwrap()
    }

    #[test]
    fn what_it_says_is_read() {
        let said = check("echo out; echo err >&2; exit 3", Duration::from_secs(30));
        assert_eq!(
            (said.output.as_str(), said.error.as_str(), said.status.code()),
            ("out\n", "err\n", Some(3))
        );
    }

    #[test]
    fn one_that_hangs_is_killed() {
        let said = check("echo out; exec sleep 1000", Duration::from_millis(200));
        assert_eq!(said.status.signal(), Some(9));
    }
}
