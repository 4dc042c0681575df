//! What a careless launcher hands down to what it starts: each kind of it, and how a process is given it.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::personality::{self, Persona};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use serde::{Deserialize, Serialize};

use super::blueprint::Blueprint;
use crate::sandbox::run_directory::RunDirectory;
use crate::spec::Namespace;
use crate::sys::{self, Failure, Result, keyring};

/// The variable that is leaked, with the run's tag in its value.
pub(in crate::sandbox) const VARIABLE: &str = "AIRTIGHT_SECRET";

/// The numbers of the leaked descriptors: above those that a program has of its own.
const DIRECTORY: i32 = 98;
const FILE: i32 = 99;

/// One thing that is inherited across fork(2) and execve(2), and that a sandbox must not inherit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poison {
    /// A descriptor of the host's root directory (CVE-2024-21626).
    Directory,
    /// A descriptor of a file of the host, open for writing.
    File,
    /// A secret in the environment.
    Environment,
    /// A blocked signal.
    BlockedSignal,
    /// An ignored signal.
    IgnoredSignal,
    /// A umask of 077.
    Umask,
    /// A working directory outside the sandbox's root.
    WorkingDirectory,
    /// A niceness of 5.
    Niceness,
    /// An `oom_score_adj` of 500.
    OomScore,
    /// A personality: `ADDR_NO_RANDOMIZE`.
    Personality,
    /// A session keyring with a key in it.
    SessionKeyring,
    /// A key in the user keyring, which all processes of a user share.
    UserKeyring,
    /// A controlling terminal.
    Terminal,
}

impl Poison {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Directory,
        Self::File,
        Self::Environment,
        Self::BlockedSignal,
        Self::IgnoredSignal,
        Self::Umask,
        Self::WorkingDirectory,
        Self::Niceness,
        Self::OomScore,
        Self::Personality,
        Self::SessionKeyring,
        Self::UserKeyring,
        Self::Terminal,
    ];

    /// Its name, for a reader.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "a directory of the host",
            Self::File => "a file of the host",
            Self::Environment => "environment",
            Self::BlockedSignal => "blocked signal",
            Self::IgnoredSignal => "ignored signal",
            Self::Umask => "umask",
            Self::WorkingDirectory => "working directory",
            Self::Niceness => "niceness",
            Self::OomScore => "oom_score_adj",
            Self::Personality => "personality",
            Self::SessionKeyring => "session keyring",
            Self::UserKeyring => "user keyring",
            Self::Terminal => "controlling terminal",
        }
    }

    /// Gives it to the calling process, which must have a single thread. What lies on the host is found by the host's paths: to be called
    /// while those are there.
    pub(in crate::sandbox) fn pour(self, run: &RunDirectory) -> Result<()> {
        match self {
            Self::Directory => open_directory(),
            Self::File => open_file(run),
            Self::Environment => {
                sys::environment::set(VARIABLE, run.tag());
                Ok(())
            }
            Self::BlockedSignal => block_signal(),
            Self::IgnoredSignal => {
                sys::ignore(Signal::SIGUSR2);
                Ok(())
            }
            Self::Umask => {
                umask(Mode::from_bits_truncate(0o077));
                Ok(())
            }
            Self::WorkingDirectory => leave_root(run),
            Self::Niceness => be_nice(5),
            Self::OomScore => score("self", 500),
            Self::Personality => take_on(Persona::ADDR_NO_RANDOMIZE),
            Self::SessionKeyring => join_session_keyring().and_then(|()| add_key(keyring::SESSION, run)),
            Self::UserKeyring => add_key(keyring::USER, run),
            Self::Terminal => Ok(()),
        }
    }
}

/// All of it, with a terminal that the caller keeps open.
pub(in crate::sandbox) fn pour_all(run: &RunDirectory, terminal: BorrowedFd<'_>) -> Result<()> {
    sys::control(terminal)?;
    Poison::ALL.into_iter().try_for_each(|poison| poison.pour(run))
}

/// What is leaked to a sandbox although its runtime has cleaned everything, as far as it must be poured while the host's root and the
/// runner's identity are there.
pub(super) fn leak(blueprint: &Blueprint, run: &RunDirectory) -> Result<()> {
    let late = [Poison::Umask, Poison::WorkingDirectory, Poison::UserKeyring, Poison::Environment];
    let early = Poison::ALL.into_iter().filter(|poison| !late.contains(poison) && blueprint.leaks(*poison));
    early.into_iter().try_for_each(|poison| poison.pour(run))
}

/// What is leaked in the end. The user keyring is that of whoever the process is now, in its user namespace; without one of its own it has the
/// host's, which the nursery has given the key.
pub(super) fn leak_late(blueprint: &Blueprint, run: &RunDirectory) -> Result<()> {
    let own_keyring = blueprint.creates(Namespace::User);
    for poison in [Poison::Umask, Poison::UserKeyring] {
        if blueprint.leaks(poison) && (poison != Poison::UserKeyring || own_keyring) {
            poison.pour(run)?;
        }
    }
    Ok(())
}

/// Whether a terminal must be at hand before a sandbox of this blueprint is made.
pub(in crate::sandbox) fn needs_terminal(blueprint: &Blueprint) -> bool {
    blueprint.poisoned || blueprint.leaks(Poison::Terminal)
}

/// What the nursery does before: the file that is leaked is there, and the key in the user keyring that the sandbox has if it does
/// without a user namespace.
pub(in crate::sandbox) fn prepare(blueprint: &Blueprint, run: &RunDirectory) -> Result<()> {
    if blueprint.poisoned || !blueprint.defects.is_empty() {
        run.lay_file()?;
    }
    if blueprint.poisoned || blueprint.leaks(Poison::UserKeyring) {
        Poison::UserKeyring.pour(run)?;
    }
    Ok(())
}

/// What the new process does before anything else.
pub(in crate::sandbox) fn begin(
    blueprint: &Blueprint,
    run: &RunDirectory,
    terminal: BorrowedFd<'_>,
) -> Result<()> {
    if blueprint.poisoned { pour_all(run, terminal) } else { sys::control(terminal) }
}

/// Takes away again what a launcher may have handed down, all that its user may: what belongs to descriptors, environment, identity and
/// root is taken away where those are made.
pub(super) fn clean() -> Result<()> {
    sys::default_signals();
    sys::unblock_signals();
    take_on(Persona::empty())
}

/// A session keyring of its own, or the keys of whoever started it stay within reach (session-keyring(7)). Where the kernel has no keyrings,
/// or a filter around airtight itself refuses them, the sandbox cannot reach any.
pub(super) fn join_session_keyring() -> Result<()> {
    match keyring::join_new_session() {
        Ok(()) | Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(errno) => Err(Failure::new("keyctl", &[&"KEYCTL_JOIN_SESSION_KEYRING"], errno)),
    }
}

/// Gives a process the usual niceness and score for when memory runs out (setpriority(2), `proc_pid_oom_score_adj(5)`). Both are
/// inherited, and only the privileged may lower them: others leave them as they are.
pub(in crate::sandbox) fn level(pid: i32) {
    // Refused to whoever lacks CAP_SYS_NICE and CAP_SYS_RESOURCE.
    let _ = rustix::process::setpriority_process(rustix::process::Pid::from_raw(pid), 0);
    let _ = score(&pid.to_string(), 0);
}

/// Whether this process has another niceness or score than the usual.
pub(in crate::sandbox) fn is_uneven() -> bool {
    let score = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    score.trim() != "0" || rustix::process::getpriority_process(None) != Ok(0)
}

/// A directory outside of the root leads out of it: CVE-2024-21626.
fn open_directory() -> Result<()> {
    let root = open("/", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Failure::new("open", &[&"/"], errno))?;
    leave_open(root.as_fd(), DIRECTORY)
}

/// Not the host's root: without a root of its own a process would be where it belongs.
fn leave_root(run: &RunDirectory) -> Result<()> {
    let path = run.stage();
    nix::unistd::chdir(&path).map_err(|errno| Failure::new("chdir", &[&path], errno))
}

/// A file of the host's open for writing is written to whatever its path allows: CVE-2019-5736.
fn open_file(run: &RunDirectory) -> Result<()> {
    let path = run.bait_file();
    let file = OpenOptions::new().write(true).open(&path);
    leave_open(file.map_err(|error| Failure::from_io("open", &[&path], &error))?.as_fd(), FILE)
}

/// Without close-on-exec, at this number or the next one that is free.
fn leave_open(fd: BorrowedFd<'_>, number: i32) -> Result<()> {
    fcntl(fd, FcntlArg::F_DUPFD(number))
        .map(drop)
        .map_err(|errno| Failure::new("fcntl", &[&"F_DUPFD", &number], errno))
}

fn block_signal() -> Result<()> {
    let set: SigSet = [Signal::SIGUSR1].into_iter().collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)
        .map_err(|errno| Failure::new("sigprocmask", &[&Signal::SIGUSR1], errno))
}

fn be_nice(niceness: i32) -> Result<()> {
    rustix::process::setpriority_process(None, niceness)
        .map_err(|errno| Failure::new("setpriority", &[&niceness], Errno::from_raw(errno.raw_os_error())))
}

fn score(process: &str, score: i32) -> Result<()> {
    let path = format!("/proc/{process}/oom_score_adj");
    fs::write(&path, score.to_string()).map_err(|error| Failure::from_io("write", &[&path, &score], &error))
}

fn take_on(persona: Persona) -> Result<()> {
    personality::set(persona).map(drop).map_err(|errno| Failure::new("personality", &[&persona], errno))
}

fn add_key(keyring: i32, run: &RunDirectory) -> Result<()> {
    let name = run.bait_name();
    let named = CString::new(name.as_str()).map_err(|_| Failure::new("add_key", &[&name], Errno::EINVAL))?;
    match keyring::add(keyring, &named, b"secret") {
        Ok(()) | Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(errno) => Err(Failure::new("add_key", &[&"user", &name], errno)),
    }
}
