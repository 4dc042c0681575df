//! Finding and killing what is left: processes that outlived their sandbox's first process, and at the end everything.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::linux::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// How long killed processes may take to be gone. Only a process stuck in the kernel takes longer, and nothing helps then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills every process whose root is on the device of this one: a sandbox's overlay has a device number of its own, which a process
/// keeps wherever it goes. The number is the sandbox's only while the root is held: afterwards the kernel gives it to the next overlay,
/// and it would be a stranger that is killed.
pub(super) fn kill_rooted_on(root: &OwnedFd) {
    let Ok(device) = nix::sys::stat::fstat(root).map(|stat| stat.st_dev) else { return };
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let rooted: Vec<i32> = processes().filter(|pid| root_device(*pid) == Some(device)).collect();
        if rooted.is_empty() {
            return;
        }
        rooted.into_iter().for_each(end);
    }
}

/// Kills every descendant of this process, which is the subreaper of them all, and waits for each.
pub(super) fn kill_all_descendants() {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        children().for_each(end);
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(nix::sys::wait::WaitStatus::StillAlive) => std::thread::yield_now(),
            _ => {}
        }
    }
}

/// A zombie's root cannot be read, and it needs no killing.
fn root_device(pid: i32) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/root/.")).ok().map(|root| root.st_dev())
}

fn end(pid: i32) {
    // One that has just ended is what was wanted.
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The direct children; those of a child that was killed are handed to the subreaper, and are children then.
fn children() -> impl Iterator<Item = i32> {
    let own = std::process::id().to_string();
    processes().filter(move |pid| parent(*pid).as_deref() == Some(own.as_str()))
}

/// The fourth field of /proc/PID/stat (proc(5)).
fn parent(pid: i32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let after_name = text.rsplit(')').next()?;
    after_name.split_ascii_whitespace().nth(1).map(str::to_owned)
}
