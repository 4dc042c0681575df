//! Where a proof is run by root: a host of its own. A sandbox that is broken on purpose shares its namespaces with its host, and what is done in it is
//! done there: `kill -9 -1` in a shared PID namespace, a name set in a shared UTS namespace, a device removed from a shared
//! `/dev`, which is one for the whole machine. In quarantine all of these are the quarantine's own, and gone with it.
//!
//! Files outside `/dev` and the network are the machine's. An ordinary user has no quarantine: what breaks out can do what the user
//! can do.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, SFlag, mknod, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, chown};

use crate::cli::Exit;
use crate::sys::{self, Cloned, Failure, Result};

/// Goes into quarantine. In the process that goes on there it gives `None`; in the one that has waited for it, how that ended. To be called before the
/// first thread.
pub fn enter() -> Result<Option<ExitCode>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    unshare(KINDS).map_err(|errno| Failure::new("unshare", &[&KINDS], errno))?;
    match sys::fork(false)? {
        Cloned::Child => furnish().and_then(|()| begin()),
        Cloned::Parent(init) => wait(init.pid, |_| true).map(Some),
    }
}

/// What a sandbox can share with its host and do harm by.
const KINDS: CloneFlags = CloneFlags::CLONE_NEWPID
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC);

/// The quarantine's init lets the proof go on in another process: `kill -TERM 1` in a shared PID namespace must not end it.
fn begin() -> Result<Option<ExitCode>> {
    match sys::fork(false)? {
        Cloned::Child => die_with_parent().map(|()| None),
        // Who signals from outside has no PID here (pid_namespaces(7)).
        Cloned::Parent(proof) => wait(proof.pid, |sender| sender == 0).map(Some),
    }
}

/// Hands on what asks for the end, if it comes from whom it may, so that the proof ends cleanly; Ctrl-C reaches the whole terminal by itself.
fn wait(child: i32, may: fn(u32) -> bool) -> Result<ExitCode> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        set.add(signal);
    }
    let failed = |call| move |errno| Failure::new(call, &[], errno);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).map_err(failed("sigprocmask"))?;
    let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).map_err(failed("signalfd"))?;
    loop {
        // It may have ended before the signals were blocked.
        if let Some(code) = ended(child)? {
            return Ok(code);
        }
        let Ok(Some(signal)) = signals.read_signal() else { continue };
        let asks = [libc::SIGTERM, libc::SIGHUP].contains(&i32::try_from(signal.ssi_signo).unwrap_or(0));
        if asks && may(signal.ssi_pid) {
            let _ = kill(Pid::from_raw(child), Signal::SIGTERM);
        }
    }
}

/// How the child ended, if it has; other children are waited for and forgotten, as an init must.
fn ended(child: i32) -> Result<Option<ExitCode>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid.as_raw() == child => {
                return Ok(Some(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == child => {
                return Ok(Some(ruined(signal)));
            }
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::new("waitpid", &[&child], errno)),
        }
    }
}

/// The proof ends by itself, also where it is asked to: in a sandbox broken so that it has no PID namespace of its own `kill -9 -1` ends
/// whatever is in quarantine.
fn ruined(signal: Signal) -> ExitCode {
    let why =
        "a claim killed the proof's own processes, as it would have killed the host's; nothing was judged";
    anstream::eprintln!("error: {signal}: {why}");
    Exit::Broken.into()
}

fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|errno| Failure::new("prctl", &[&"PR_SET_PDEATHSIG"], errno))
}

fn furnish() -> Result<()> {
    // Its namespaces must not outlive whoever waits for it.
    die_with_parent()?;
    mount_at("none", "/", None, MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount_at("proc", "/proc", Some("proc"), quiet)?;
    copy_devices()?;
    for (kind, target) in [("devpts", "/dev/pts"), ("tmpfs", "/dev/shm"), ("mqueue", "/dev/mqueue")] {
        fs::create_dir_all(target).map_err(|error| Failure::from_io("mkdir", &[&target], &error))?;
        mount_at(kind, target, Some(kind), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)?;
    }
    Ok(())
}

fn mount_at(source: &str, target: &str, kind: Option<&str>, flags: MsFlags) -> Result<()> {
    let options = (kind == Some("devpts")).then_some("newinstance,ptmxmode=0666,mode=0620");
    mount(Some(source), target, kind, flags, options)
        .map_err(|errno| Failure::new("mount", &[&source, &target, &flags], errno))
}

/// What stands in `/dev`, to be made again.
struct Device {
    path: PathBuf,
    stat: fs::Metadata,
    link: Option<PathBuf>,
}

/// A `/dev` with the same devices on a file system of its own.
fn copy_devices() -> Result<()> {
    let mut devices = Vec::new();
    list(Path::new("/dev"), &mut devices);
    mount_at("tmpfs", "/dev", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)?;
    let before = umask(Mode::empty());
    let made = devices.iter().try_for_each(make);
    umask(before);
    made
}

fn list(folder: &Path, devices: &mut Vec<Device>) {
    let own = fs::metadata(folder).map(|stat| stat.dev()).ok();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(stat) = fs::symlink_metadata(&path) else { continue };
        let (is_directory, here) = (stat.is_dir(), Some(stat.dev()) == own);
        devices.push(Device { link: fs::read_link(&path).ok(), path: path.clone(), stat });
        // Other file systems are mounted anew.
        if is_directory && here {
            list(&path, devices);
        }
    }
}

fn make(device: &Device) -> Result<()> {
    let Device { path, stat, link } = device;
    let kind = SFlag::from_bits_truncate(stat.mode() & libc::S_IFMT);
    let mode = Mode::from_bits_truncate(stat.mode() & 0o7777);
    if let Some(target) = link {
        return symlink(target, path).map_err(|error| Failure::from_io("symlink", &[target, path], &error));
    }
    if stat.is_dir() {
        return fs::create_dir(path).map_err(|error| Failure::from_io("mkdir", &[path], &error));
    }
    // With instances of devpts, /dev/ptmx is that of the instance (Documentation/filesystems/devpts.rst).
    if path == Path::new("/dev/ptmx") {
        return symlink("pts/ptmx", path).map_err(|error| Failure::from_io("symlink", &[path], &error));
    }
    mknod(path, kind, mode, stat.rdev()).map_err(|errno| Failure::new("mknod", &[path], errno))?;
    let (uid, gid) = (Uid::from_raw(stat.uid()), Gid::from_raw(stat.gid()));
    chown(path, Some(uid), Some(gid)).map_err(|errno| Failure::new("chown", &[path], errno))
}
