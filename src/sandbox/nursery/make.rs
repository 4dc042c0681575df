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
use super::protocol::{Launch, Part, Report, Request, Written};
use super::{orphans, sharing};
use crate::sandbox::native::{self, Birth, Blueprint, Cgroup, Defect, IdMap, Role, Seccomp, poison};
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
    /// The sandbox's name, if what carries it ends with it.
    name: Option<String>,
    /// Whether it is waited for as soon as it has ended; otherwise it stays a zombie until the runner lets go of it.
    pub(super) waited_for: bool,
    held: Held,
}

/// What is held for a process as long as its sandbox lasts.
#[derive(Debug, Default)]
struct Held {
    _cgroup: Option<Cgroup>,
    /// The mount on the host that is a peer of its root.
    _peer: Option<sharing::Peer>,
    /// The terminal whose slave controls it.
    _terminal: Option<OwnedFd>,
}

impl Made {
    /// Waits for it at last, if that was not to be before.
    pub(super) fn wait_for(&self) {
        if !self.waited_for {
            // It has ended: the runner has been told.
            let _ = waitpid(Pid::from_raw(self.pid), None);
        }
    }

    /// Ends what outlived it, and removes its cgroup. To be called once it has been waited for.
    pub(super) fn clear(&mut self) {
        let root = self.leaves_others.then(|| native::root_shown(&self.line)).flatten();
        orphans::kill_left(root.as_ref(), self.name.as_deref());
        self.held = Held::default();
    }
}

/// A first process that builds its sandbox, and waits for its errand.
#[derive(Debug)]
pub(super) struct Unborn {
    child: Child,
    line: OwnedFd,
    leaves_others: bool,
    waited_for: bool,
    held: Held,
}

impl Unborn {
    /// Its PID in the nursery's PID namespace.
    pub(super) const fn pid(&self) -> i32 {
        self.child.pid
    }

    fn send(self, role: &Role, streams: &[OwnedFd; 3], report: &OwnedFd) -> Result<Unreported> {
        let Self { child, line, leaves_others, waited_for, held } = self;
        let [input, output, errors] = streams.each_ref().map(AsRawFd::as_raw_fd);
        let fds = [input, output, errors, report.as_raw_fd()];
        let sent = sys::send(line.as_fd(), &serde_json::to_vec(role).unwrap_or_default(), &fds);
        sent.inspect_err(|_| abandon(&child))?;
        Ok(Unreported { child, line, leaves_others, name: None, waited_for, held })
    }
}

/// A process that was made, before its birth has been reported.
struct Unreported {
    child: Child,
    line: OwnedFd,
    leaves_others: bool,
    name: Option<String>,
    waited_for: bool,
    held: Held,
}

/// Makes processes.
pub(super) struct Maker<'a> {
    run: &'a RunDirectory,
    /// Whether the runner's niceness or score is not the usual one.
    uneven: bool,
    /// Compiled once: by profile, and what a broken one lets through.
    filters: HashMap<(Seccomp, Vec<String>), Vec<BpfProgram>>,
    kinds: Kinds,
}

impl<'a> Maker<'a> {
    pub(super) fn new(run: &'a RunDirectory) -> Self {
        Self { run, uneven: poison::is_uneven(), filters: HashMap::new(), kinds: Kinds::default() }
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

    /// Gives up what was made ahead: the host may be another soon, and what is done to it may be seen in a sandbox that is made
    /// afterwards.
    pub(super) fn give_up_ahead(&mut self) {
        self.kinds.give_up();
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
                self.give_up_ahead();
                self.run.runtimes_were_used();
                start(launch, self.run, streams, &report)
            }
            Request::Bait => return Err((Failure::new("bait", &[], Errno::EINVAL), report)),
        };
        match made {
            Ok(Unreported { child, line, leaves_others, name, waited_for, held }) => {
                let born = Report::Born { pid: child.pid };
                if born.send(report.as_fd(), &[child.pidfd.as_raw_fd()]).is_err() {
                    // Nobody waits for it any more.
                    let _ = kill(Pid::from_raw(child.pid), Signal::SIGKILL);
                }
                Ok(Made { pid: child.pid, report, line, leaves_others, name, waited_for, held })
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
        let (run, uneven) = (self.run, self.uneven);
        let filters = self.filters(blueprint)?;
        let (line, inside) = sys::socket_pair()?;
        poison::prepare(blueprint, run)?;
        let terminal = poison::needs_terminal(blueprint).then(sys::new_terminal).transpose()?;
        match sys::clone3(blueprint.clone_flags().unsigned_abs().into())? {
            Cloned::Child => {
                if let Some((_, terminal)) = &terminal {
                    say_and_go_on(&inside, &poison::begin(blueprint, run, terminal.as_fd()));
                }
                sys::unblock_signals();
                // Its streams are the nursery's until it is given its own.
                let alone = sys::keep_only(&inside);
                sys::or_exit(|| native::first(blueprint, filters, run, inside, alone))
            }
            Cloned::Parent(child) => {
                let begun = if terminal.is_some() { heard_in_time(&line) } else { Ok(()) };
                if blueprint.poisoned || uneven {
                    poison::level(child.pid);
                }
                let peer = begun.and_then(|()| sharing::offer(blueprint, run, &child, &line));
                let ready = peer.and_then(|peer| {
                    let_go(blueprint, &child, image.as_ref(), cgroup.as_ref(), &line)?;
                    Ok(peer)
                });
                let peer = ready.inspect_err(|_| abandon(&child))?;
                let held =
                    Held { _cgroup: cgroup, _peer: peer, _terminal: terminal.map(|(master, _)| master) };
                let leaves_others = !blueprint.creates(Namespace::Pid);
                let waited_for = !blueprint.has(&Defect::NotWaitedFor);
                Ok(Unborn { child, line, leaves_others, waited_for, held })
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
        let run = self.run;
        let filters = self.filters(blueprint)?;
        let (line, inside) = sys::socket_pair()?;
        match sys::fork(false)? {
            Cloned::Child => {
                let joined = join_and_fork(blueprint, pid, &target);
                if let Ok(None) = joined {
                    let (report, line) = two(inherit(streams, &[report, &inside]));
                    sys::or_exit(|| native::further(Birth { blueprint, role, filters, run, report }, line))
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
                Ok(Unreported {
                    child,
                    line,
                    leaves_others: false,
                    name: None,
                    waited_for: true,
                    held: Held::default(),
                })
            }
        }
    }

    fn filters(&mut self, blueprint: &Blueprint) -> Result<&[BpfProgram]> {
        let profile = &blueprint.confinement.seccomp;
        let let_through = blueprint.calls_let_through();
        let key = (profile.clone(), let_through.iter().map(|name| (*name).to_owned()).collect());
        if !self.filters.contains_key(&key) {
            let compiled = native::compile_seccomp(profile, &let_through)
                .map_err(|error| Failure::new("compile", &[&error.to_string()], Errno::EINVAL))?;
            self.filters.insert(key.clone(), compiled);
        }
        Ok(self.filters.get(&key).map(Vec::as_slice).unwrap_or_default())
    }
}

/// Starts a runtime's own command line.
fn start(
    launch: &Launch,
    run: &RunDirectory,
    streams: &[OwnedFd; 3],
    report: &OwnedFd,
) -> Result<Unreported> {
    let (line, inside) = sys::socket_pair()?;
    let terminal = launch.poisoned.then(sys::new_terminal).transpose()?;
    if launch.poisoned {
        run.lay_file()?;
    }
    let map = launcher::id_map(launch);
    let namespaces = if map == IdMap::None { CloneFlags::empty() } else { CloneFlags::CLONE_NEWUSER };
    match sys::clone3(namespaces.bits().unsigned_abs().into())? {
        Cloned::Child => {
            let others = [Some(report), Some(&inside), terminal.as_ref().map(|(_, slave)| slave)];
            let fds = inherit(streams, &others.into_iter().flatten().collect::<Vec<_>>());
            sys::or_exit(|| launcher::launch(launch, run, fds))
        }
        Cloned::Parent(child) => {
            let ready =
                native::write_maps(child.pid, &map).and_then(|()| sys::send(line.as_fd(), b"go", &[]));
            ready.inspect_err(|_| abandon(&child))?;
            let held = Held { _terminal: terminal.map(|(master, _)| master), ..Held::default() };
            let name = match &launch.part {
                Part::First(name) => Some(name.clone()),
                Part::Further(_) | Part::Unnamed => None,
            };
            Ok(Unreported { child, line, leaves_others: true, name, waited_for: true, held })
        }
    }
}

/// In a new process: tells the nursery how something ended that it waits for, and ends if it failed.
fn say_and_go_on(line: &OwnedFd, done: &Result<()>) {
    let said = sys::send(line.as_fd(), &serde_json::to_vec(done).unwrap_or_default(), &[]);
    if said.is_err() || done.is_err() {
        sys::exit_now(125);
    }
}

/// The nursery's side of it.
fn heard_in_time(line: &OwnedFd) -> Result<()> {
    let told = sys::pipe::wait(line, PollFlags::POLLIN, Instant::now() + PATIENCE)?;
    if told { native::heard(line) } else { Err(Failure::new("recvmsg", &[], Errno::ETIMEDOUT)) }
}

/// In a new process: nothing of the nursery's but these descriptors, and its signals as a program expects them. The
/// streams have the numbers 0 to 2.
fn inherit(streams: &[OwnedFd; 3], others: &[&OwnedFd]) -> Vec<OwnedFd> {
    let fds = streams.iter().chain(others.iter().copied()).map(AsRawFd::as_raw_fd);
    sys::unblock_signals();
    sys::lay_out(&fds.collect::<Vec<_>>()).unwrap_or_else(|failure| {
        // The first of the others is where it reports. If nobody listens any more there is nobody to tell.
        let _ = others.first().map(|report| Report::Failed(failure).send(report.as_fd(), &[]));
        sys::exit_now(125)
    })
}

fn two(fds: Vec<OwnedFd>) -> (OwnedFd, OwnedFd) {
    <[OwnedFd; 2]>::try_from(fds).map_or_else(|_| sys::exit_now(125), |[one, other]| (one, other))
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
    // Another runtime's sandbox may be in some of its own, whatever it was asked for.
    if blueprint.cgroup.any() || blueprint.chrooted {
        native::enter_cgroups_of(pid)?;
    }
    let root = blueprint.has_changed_root().then(|| open_root(pid)).transpose()?;
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
