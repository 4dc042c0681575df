//! How the nursery makes each kind of process.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::result::Result as StdResult;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use seccompiler::BpfProgram;

use super::kinds::Kinds;
use super::orphans;
use super::protocol::{Launch, Report, Request, Written};
use crate::sandbox::native::{self, Birth, Blueprint, Cgroup, Role, Seccomp};
use crate::sandbox::{launcher, run_directory::RunDirectory};
use crate::spec::Namespace;
use crate::sys::{self, Child, Cloned, Failure, Result};

/// How long a helper may take to join a sandbox.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that was made.
pub(super) struct Made {
    /// Its PID in the nursery's PID namespace.
    pub(super) pid: i32,
    /// Where its end is reported.
    pub(super) report: OwnedFd,
    /// Through this it was told to go, and shows its root.
    line: OwnedFd,
    /// Whether processes of its sandbox can outlive it: those of a PID namespace die with its init.
    leaves_others: bool,
    cgroup: Option<Cgroup>,
}

impl Made {
    /// Ends what outlived it, and removes its cgroup. To be called once it has been waited for.
    pub(super) fn clear(&mut self) {
        let root = self.leaves_others.then(|| native::root_shown(&self.line)).flatten();
        root.iter().for_each(orphans::kill_rooted_on);
        drop(self.cgroup.take());
    }
}

/// A first process that builds its sandbox, and waits for its errand.
#[derive(Debug)]
pub(super) struct Unborn {
    child: Child,
    line: OwnedFd,
    leaves_others: bool,
    cgroup: Option<Cgroup>,
}

impl Unborn {
    /// Its PID in the nursery's PID namespace.
    pub(super) const fn pid(&self) -> i32 {
        self.child.pid
    }

    fn send(self, role: &Role, streams: &[OwnedFd; 3], report: &OwnedFd) -> Result<Unreported> {
        let Self { child, line, leaves_others, cgroup } = self;
        let [input, output, errors] = streams.each_ref().map(AsRawFd::as_raw_fd);
        let fds = [input, output, errors, report.as_raw_fd()];
        let sent = sys::send(line.as_fd(), &serde_json::to_vec(role).unwrap_or_default(), &fds);
        sent.inspect_err(|_| abandon(&child))?;
        Ok(Unreported { child, line, leaves_others, cgroup })
    }
}

/// A process that was made, before its birth has been reported.
struct Unreported {
    child: Child,
    line: OwnedFd,
    leaves_others: bool,
    cgroup: Option<Cgroup>,
}

/// Makes processes.
pub(super) struct Maker<'a> {
    run: &'a RunDirectory,
    filters: HashMap<Seccomp, Vec<BpfProgram>>,
    kinds: Kinds,
}

impl<'a> Maker<'a> {
    pub(super) fn new(run: &'a RunDirectory) -> Self {
        Self { run, filters: HashMap::new(), kinds: Kinds::default() }
    }

    /// Makes one sandbox ahead, if one is wanted. To be called when there is nothing else to do.
    pub(super) fn make_ahead(&mut self) {
        let Some(blueprint) = self.kinds.wanting() else { return };
        let made = self.conceive(&blueprint);
        self.kinds.keep(&blueprint, made);
    }

    /// Whether one is wanted.
    pub(super) fn wants_ahead(&self) -> bool {
        self.kinds.wanting().is_some()
    }

    /// Whether a runtime stands between this sandbox and the nursery.
    pub(super) fn is_chrooted(&self, blueprint: &Written) -> bool {
        self.kinds.blueprint(blueprint).is_ok_and(|blueprint| blueprint.chrooted)
    }

    /// A process has ended that was none of the members.
    pub(super) fn forget(&mut self, pid: i32) {
        self.kinds.forget(pid);
    }

    /// Makes what is asked for, and reports its birth; a failure comes back with the socket to report it on.
    pub(super) fn make(
        &mut self,
        request: &Request,
        streams: &[OwnedFd; 3],
        report: OwnedFd,
    ) -> StdResult<Made, (Failure, OwnedFd)> {
        let made = match request {
            Request::Native { blueprint, role } => self.native(blueprint, role, streams, &report),
            Request::Join { blueprint, pid, role } => {
                let blueprint = self.kinds.blueprint(blueprint);
                blueprint.and_then(|blueprint| self.join(&blueprint, *pid, role, streams, &report))
            }
            Request::Launch(launch) => {
                // What is done to the host may be seen in a sandbox that is made afterwards.
                self.kinds.give_up();
                start(launch, self.run.tag(), streams, &report)
            }
        };
        match made {
            Ok(Unreported { child, line, leaves_others, cgroup }) => {
                let born = Report::Born { pid: child.pid };
                if born.send(report.as_fd(), &[child.pidfd.as_raw_fd()]).is_err() {
                    // Nobody waits for it any more.
                    let _ = kill(Pid::from_raw(child.pid), Signal::SIGKILL);
                }
                Ok(Made { pid: child.pid, report, line, leaves_others, cgroup })
            }
            Err(failure) => Err((failure, report)),
        }
    }

    fn native(
        &mut self,
        blueprint: &Written,
        role: &Role,
        streams: &[OwnedFd; 3],
        report: &OwnedFd,
    ) -> Result<Unreported> {
        let (blueprint, ahead) = self.kinds.take(blueprint)?;
        // One that has ended meanwhile is as good as none.
        if let Some(Ok(made)) = ahead.map(|unborn| unborn.send(role, streams, report)) {
            return Ok(made);
        }
        self.conceive(&blueprint)?.send(role, streams, report)
    }

    fn conceive(&mut self, blueprint: &Blueprint) -> Result<Unborn> {
        let cgroup = Cgroup::create(self.run.tag(), &blueprint.cgroup)?;
        let image = blueprint.is_other().then(|| sys::clone_tree(&blueprint.image)).transpose()?;
        let filters = self.filters(&blueprint.confinement.seccomp)?;
        let (line, inside) = sys::socket_pair()?;
        match sys::clone3(blueprint.clone_flags().unsigned_abs().into())? {
            Cloned::Child => {
                sys::unblock_signals();
                // Its streams are the nursery's until it is given its own.
                sys::keep_only(&inside).unwrap_or_else(|_| sys::exit_now(125));
                native::first(blueprint, filters, inside)
            }
            Cloned::Parent(child) => {
                let ready = let_go(blueprint, &child, image.as_ref(), cgroup.as_ref(), &line);
                ready.inspect_err(|_| abandon(&child))?;
                Ok(Unborn { child, line, leaves_others: !blueprint.creates(Namespace::Pid), cgroup })
            }
        }
    }

    /// Who joins a PID namespace stays outside it; only its children are inside (setns(2)). So a helper joins, makes the
    /// process as a child of its own parent, says its PID, and ends.
    fn join(
        &mut self,
        blueprint: &Blueprint,
        pid: i32,
        role: &Role,
        streams: &[OwnedFd; 3],
        report: &OwnedFd,
    ) -> Result<Unreported> {
        let target = open_process(pid)?;
        let filters = self.filters(&blueprint.confinement.seccomp)?;
        let (line, inside) = sys::socket_pair()?;
        match sys::fork(false)? {
            Cloned::Child => {
                let joined = join_and_fork(blueprint, pid, &target);
                if let Ok(None) = joined {
                    let (report, line) = inherit(streams, [report, &inside]);
                    native::further(Birth { blueprint, role, filters, report }, line)
                }
                let said =
                    serde_json::to_vec(&joined.map(|child| child.map(|child| child.pid))).unwrap_or_default();
                let _ = sys::send(inside.as_fd(), &said, &[]);
                sys::exit_now(0)
            }
            Cloned::Parent(helper) => {
                drop(inside);
                let child = hear_of_child(&line);
                // It has ended, or is about to, unless someone in the sandbox has got hold of it.
                abandon(&helper);
                let child = child?;
                sys::send(line.as_fd(), b"go", &[])?;
                Ok(Unreported { child, line, leaves_others: false, cgroup: None })
            }
        }
    }

    fn filters(&mut self, profile: &Seccomp) -> Result<&[BpfProgram]> {
        if !self.filters.contains_key(profile) {
            let compiled = native::compile_seccomp(profile)
                .map_err(|error| Failure::new("compile", &[&error.to_string()], Errno::EINVAL))?;
            self.filters.insert(profile.clone(), compiled);
        }
        Ok(self.filters.get(profile).map(Vec::as_slice).unwrap_or_default())
    }
}

/// Starts a runtime's own command line.
fn start(launch: &Launch, tag: &str, streams: &[OwnedFd; 3], report: &OwnedFd) -> Result<Unreported> {
    let (line, inside) = sys::socket_pair()?;
    match sys::fork(false)? {
        Cloned::Child => {
            let (report, line) = inherit(streams, [report, &inside]);
            launcher::launch(launch, tag, &report, &line)
        }
        Cloned::Parent(child) => {
            sys::send(line.as_fd(), b"go", &[])?;
            Ok(Unreported { child, line, leaves_others: true, cgroup: None })
        }
    }
}

/// In a new process: nothing of the nursery's but these descriptors, and its signals as a program expects them. The
/// streams have the numbers 0 to 2.
fn inherit(streams: &[OwnedFd; 3], [report, line]: [&OwnedFd; 2]) -> (OwnedFd, OwnedFd) {
    let fds = streams.iter().chain([report, line]).map(AsRawFd::as_raw_fd);
    sys::unblock_signals();
    let others = sys::lay_out(&fds.collect::<Vec<_>>()).map(<[OwnedFd; 2]>::try_from);
    match others {
        Ok(Ok([report, line])) => return (report, line),
        // If nobody listens any more there is nobody to tell.
        Err(failure) => drop(Report::Failed(failure).send(report.as_fd(), &[])),
        Ok(Err(_)) => {}
    }
    sys::exit_now(125)
}

/// What only the parent can do for a new process: map its ids, and place it in its cgroup. Then it may go.
fn let_go(
    blueprint: &Blueprint,
    child: &Child,
    image: Option<&OwnedFd>,
    cgroup: Option<&Cgroup>,
    line: &OwnedFd,
) -> Result<()> {
    native::write_maps(child.pid, &blueprint.identity.map)?;
    if let Some(image) = image.filter(|_| blueprint.maps_image) {
        let path = format!("/proc/{}/ns/user", child.pid);
        let namespace =
            std::fs::File::open(&path).map_err(|error| Failure::from_io("open", &[&path], &error))?;
        sys::map_ids(image.as_fd(), &namespace)?;
    }
    cgroup.map_or(Ok(()), |cgroup| cgroup.enter(child.pid))?;
    sys::send(line.as_fd(), b"go", image.map(AsRawFd::as_raw_fd).as_slice())
}

/// Kills what must not go on, and waits for it: what it is in can be removed only then.
fn abandon(child: &Child) {
    let _ = kill(Pid::from_raw(child.pid), Signal::SIGKILL);
    let _ = waitpid(Pid::from_raw(child.pid), None);
}

/// `None` in the new process.
fn join_and_fork(blueprint: &Blueprint, pid: i32, target: &OwnedFd) -> Result<Option<Child>> {
    if blueprint.cgroup.any() {
        native::enter_cgroups_of(pid)?;
    }
    let root = blueprint.chrooted.then(|| open_root(pid)).transpose()?;
    let flags = CloneFlags::from_bits_retain(blueprint.namespace_flags());
    setns(target, flags).map_err(|errno| Failure::new("setns", &[&pid, &flags], errno))?;
    root.as_ref().map_or(Ok(()), change_root)?;
    match sys::fork(true)? {
        Cloned::Child => Ok(None),
        Cloned::Parent(child) => Ok(Some(child)),
    }
}

fn open_root(pid: i32) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/root");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open(path.as_str(), flags, Mode::empty())
        .map_err(|errno| Failure::new("open", &[&path], errno))
}

/// Namespaces are joined by now, and with the mount namespace its root; the descriptor still leads to the process's own.
fn change_root(root: &OwnedFd) -> Result<()> {
    nix::unistd::fchdir(root).map_err(|errno| Failure::new("fchdir", &[&"root"], errno))?;
    nix::unistd::chroot(".").map_err(|errno| Failure::new("chroot", &[&"."], errno))
}

/// The PID is the nursery's own child by now, so that no other process can have it.
fn hear_of_child(line: &OwnedFd) -> Result<Child> {
    let gone = || Failure::new("setns", &[], Errno::ECHILD);
    if !sys::pipe::wait(line, PollFlags::POLLIN, Instant::now() + PATIENCE)? {
        return Err(Failure::new("setns", &[], Errno::ETIMEDOUT));
    }
    let packet = sys::receive(line.as_fd())?.ok_or_else(gone)?;
    let said: Result<Option<i32>> = serde_json::from_slice(&packet.bytes).map_err(|_| gone())?;
    let pid = said?.ok_or_else(gone)?;
    Ok(Child { pid, pidfd: open_process(pid)? })
}

fn open_process(pid: i32) -> Result<OwnedFd> {
    let failed =
        |errno: rustix::io::Errno| Failure::new("pidfd_open", &[&pid], Errno::from_raw(errno.raw_os_error()));
    let named = rustix::process::Pid::from_raw(pid).ok_or_else(|| failed(rustix::io::Errno::SRCH))?;
    pidfd_open(named, PidfdFlags::empty()).map_err(failed)
}
