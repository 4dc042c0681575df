//! Finding and killing what is left: processes that outlived their sandbox's first process, and at the end everything.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::linux::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::sandbox::processes;

/// How long killed processes may take to be gone. Only a process stuck in the kernel takes longer, and nothing helps then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The variable in the environment of whatever a run starts on the host or through a runtime: the run's tag.
pub(in crate::sandbox) const MARK: &str = "AIRTIGHT_ID";

/// The variable in the environment of what a runtime starts for a sandbox: the sandbox's name.
pub(in crate::sandbox) const NAME: &str = "AIRTIGHT_SANDBOX";

/// What a sandbox's root is, with the run's name for its source.
const ROOTS: [&str; 2] = ["overlay", "tmpfs"];

/// Kills what outlived a sandbox's first process: every descendant of the nursery with a thread whose root is on the device of this one, which
/// sees it among its mounts, or whose environment has the sandbox's name. A sandbox's overlay has a device number of its own, but only while
/// the root is held: afterwards the kernel gives it to the next overlay, and it would be a stranger that is killed. What has shed all of these
/// is found at the end of the run, when every descendant is killed.
pub(super) fn kill_left(root: Option<&OwnedFd>, name: Option<&str>) {
    let device = root.and_then(|root| nix::sys::stat::fstat(root).ok()).map(|stat| stat.st_dev);
    let entry = name.map(|name| format!("{NAME}={name}\0"));
    let is_rooted = |pid| device.is_some_and(|device| root_devices(pid).any(|root| root == device));
    // Only a runtime's own processes, which have a name, stand outside the root that they were given.
    let sees = |pid| entry.is_some() && device.is_some_and(|device| sees_mount(pid, device));
    let carries = |pid| entry.as_ref().is_some_and(|entry| has(pid, "environ", entry));
    if device.is_some() || entry.is_some() {
        let belongs = |pid| is_rooted(pid) || sees(pid) || carries(pid);
        // A list of children may lack one while another ends.
        for _ in 0..2 {
            kill_all(processes::descendants, belongs);
        }
    }
}

/// Kills what carries the run's mark in its environment.
pub(in crate::sandbox) fn kill_marked(tag: &str) {
    let marked = format!("{MARK}={tag}\0");
    kill_all(processes::all, |pid| has(pid, "environ", &marked));
}

/// Kills what a run left whose nursery was killed too: what has a root of the run's among its mounts, or the run's mark in
/// its environment.
pub(in crate::sandbox) fn kill_of_run(run: &str, tag: &str) {
    let (mounted, marked) = (ROOTS.map(|kind| format!(" - {kind} {run} ")), format!("{MARK}={tag}\0"));
    let belongs =
        |pid| mounted.iter().any(|root| has(pid, "mountinfo", root)) || has(pid, "environ", &marked);
    kill_all(processes::all, belongs);
}

/// Kills every descendant of this process, which is the subreaper of them all, and waits for each.
pub(super) fn kill_all_descendants() {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        // A child's PID stays its own until it is waited for here.
        children().for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default());
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(nix::sys::wait::WaitStatus::StillAlive) => std::thread::yield_now(),
            _ => {}
        }
    }
}

/// Looks again until there is none: what was not there a moment ago may be the child of one that was.
fn kill_all(among: impl Fn() -> Vec<i32>, belongs: impl Fn(i32) -> bool) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if among().into_iter().filter(|pid| belongs(*pid) && end(*pid, &belongs)).count() == 0 {
            return;
        }
    }
}

/// Kills a process by its pidfd, after a second look: between the first one and the pidfd the PID may have come to mean another.
fn end(pid: i32, belongs: impl Fn(i32) -> bool) -> bool {
    let pidfd = rustix::process::Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(pidfd) = pidfd.filter(|_| belongs(pid)) else { return false };
    pidfd_send_signal(&pidfd, rustix::process::Signal::KILL).is_ok()
}

/// Of all threads: the first one may have ended before the others. That of a zombie cannot be read, and needs no killing.
fn root_devices(pid: i32) -> impl Iterator<Item = u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| Some(fs::metadata(thread.path().join("root/.")).ok()?.st_dev()))
}

/// Whether it has a mount of this device in a mount namespace that is not the caller's own.
fn sees_mount(pid: i32, device: u64) -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let number = format!(" {}:{} ", libc::major(device), libc::minor(device));
    namespace(&pid.to_string()) != namespace("self") && has(pid, "mountinfo", &number)
}

/// Whether the text is in this file of the process's.
fn has(pid: i32, file: &str, text: &str) -> bool {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The direct children; those of a child that was killed are handed to the subreaper, and are children then.
pub(super) fn children() -> impl Iterator<Item = i32> {
    let own = std::process::id().to_string();
    processes::all().into_iter().filter(move |pid| parent(*pid).as_deref() == Some(own.as_str()))
}

/// The fourth field of /proc/PID/stat (proc(5)).
fn parent(pid: i32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let after_name = text.rsplit(')').next()?;
    after_name.split_ascii_whitespace().nth(1).map(str::to_owned)
}
