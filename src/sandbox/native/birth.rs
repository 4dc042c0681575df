//! What a new process of a native sandbox does before it becomes the agent or the command: a story in order, each step
//! using up a right that the next no longer needs.

use std::ffi::{CString, NulError};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::poll::PollFlags;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::chdir;
use seccompiler::BpfProgram;

use super::blueprint::{Blueprint, Role};
use super::defects::Defect;
use super::plant::plant;
use super::poison::{self, Poison};
use super::{careless, confine, furnish, identity, root};
use crate::agent::serve;
use crate::sandbox::nursery::Report;
use crate::sandbox::run_directory::RunDirectory;
use crate::spec::Namespace;
use crate::sys::{self, Failure, Result};

/// What a new process is given.
#[derive(Debug)]
pub(in crate::sandbox) struct Birth<'a> {
    /// What it is to be.
    pub(in crate::sandbox) blueprint: &'a Blueprint,
    /// What it becomes.
    pub(in crate::sandbox) role: &'a Role,
    /// Its seccomp filters, compiled.
    pub(in crate::sandbox) filters: &'a [BpfProgram],
    /// The run that it belongs to.
    pub(in crate::sandbox) run: &'a RunDirectory,
    /// Where it reports.
    pub(in crate::sandbox) report: OwnedFd,
}

/// The first process: makes the sandbox around itself. Through the line the nursery says that ids are mapped and cgroups entered, with
/// the image as a detached mount where the sandbox's root is another user; is shown the root; and says at last what this
/// process becomes. That may be a while later: the sandbox may have been made ahead. `alone` says whether it has nothing of the nursery's but
/// the line.
pub(in crate::sandbox) fn first(
    blueprint: &Blueprint,
    filters: &[BpfProgram],
    run: &RunDirectory,
    line: OwnedFd,
    alone: Result<()>,
) -> ! {
    // What fails is told to whom the errand names: until then every message is taken.
    let parted = alone.and_then(|()| part_from_host(blueprint)).and_then(|()| die_with_parent());
    let given = await_go(&line);
    // Whose root is shared hears of more on the line than its errand.
    let early = blueprint.has(&Defect::SharedPropagation).then(|| await_errand(&line));
    let built = parted
        .and(given)
        .and_then(|given| build(blueprint, run, &line, given.first()))
        // A change of user has cleared it (prctl(2)), and the errand may be long in coming.
        .and_then(|outside| die_with_parent().map(|()| outside));
    let errand = early.unwrap_or_else(|| await_errand(&line));
    let (role, report) = errand.unwrap_or_else(|_| sys::exit_now(125));
    drop(line);
    let birth = Birth { blueprint, role: &role, filters, run, report };
    let ready = built.and_then(|outside| {
        finish(blueprint, run)?;
        outside.map_or(Ok(()), |outside| {
            nix::unistd::fchdir(&outside).map_err(|errno| Failure::new("fchdir", &[&"/"], errno))
        })
    });
    live(birth, ready)
}

/// What this process becomes, and where it reports from now on. The standard streams come with it.
fn await_errand(line: &OwnedFd) -> Result<(Role, OwnedFd)> {
    let failed = || Failure::new("recvmsg", &[&"errand"], Errno::EPROTO);
    let mut packet = sys::receive(line.as_fd())?.ok_or_else(failed)?;
    let report = packet.fds.pop().ok_or_else(failed)?;
    let role = serde_json::from_slice(&packet.bytes).map_err(|_| failed())?;
    if let Err(failure) = sys::take_streams(&packet.fds) {
        // If nobody listens any more there is nobody to tell.
        let _ = Report::Failed(failure).send(report.as_fd(), &[]);
        sys::exit_now(125)
    }
    Ok((role, report))
}

/// Makes the namespaces that need no ids, while the nursery maps those. Making a network namespace takes half of all the time
/// that a sandbox takes, and the nursery, which clones one after another, does not wait for it either.
fn part_from_host(blueprint: &Blueprint) -> Result<()> {
    part_with(CloneFlags::from_bits_retain(blueprint.unshare_flags()))
}

fn part_with(flags: CloneFlags) -> Result<()> {
    unshare(flags).map_err(|errno| Failure::new("unshare", &[&flags], errno))
}

/// A further process, which has already joined the namespaces. Through the line the nursery says that it may go.
pub(in crate::sandbox) fn further(birth: Birth<'_>, line: OwnedFd) -> ! {
    let entered = wait_for_go(&line).and_then(|_| enter(&birth));
    drop(line);
    live(birth, entered)
}

fn live(birth: Birth<'_>, ready: Result<()>) -> ! {
    let failure = match (ready, birth.role) {
        (Err(failure), _) => failure,
        (Ok(()), Role::Command { argv }) => become_command(&birth, argv),
        (Ok(()), Role::Agent { token }) => {
            if let Err(failure) = prepare_agent(&birth) {
                failure
            } else {
                let reaps = !birth.blueprint.has(&Defect::DoesNotReap);
                drop(birth.report);
                sys::exit_now(i32::from(serve(token, reaps, std::io::stdin(), std::io::stdout()).is_err()))
            }
        }
    };
    // If nobody listens any more there is nobody to tell.
    let _ = Report::Failed(failure).send(birth.report.as_fd(), &[]);
    sys::exit_now(125)
}

/// Waits for the nursery's word, and sees to it that whatever ends the nursery ends its sandboxes. Gives what came with it.
pub(in crate::sandbox) fn wait_for_go(line: &OwnedFd) -> Result<Vec<OwnedFd>> {
    die_with_parent()?;
    await_go(line)
}

fn await_go(line: &OwnedFd) -> Result<Vec<OwnedFd>> {
    match sys::receive(line.as_fd())? {
        Some(packet) => Ok(packet.fds),
        // The nursery has gone, or could not map the ids; it has said why.
        None => sys::exit_now(125),
    }
}

fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|errno| Failure::new("prctl", &[&"PR_SET_PDEATHSIG"], errno))
}

/// Gives the working directory that it leaks, if it does.
fn build(
    blueprint: &Blueprint,
    run: &RunDirectory,
    line: &OwnedFd,
    image: Option<&OwnedFd>,
) -> Result<Option<OwnedFd>> {
    if blueprint.creates(Namespace::Cgroup) {
        part_with(CloneFlags::CLONE_NEWCGROUP)?;
    }
    if !blueprint.leaks(Poison::Terminal) {
        // A session of its own: the terminal's signals are for the runner, and getsid(2) would be 0 in a new PID namespace.
        sys::leave_session()?;
    }
    poison::clean()?;
    umask(Mode::from_bits_truncate(0o022));
    poison::leak(blueprint, run)?;
    let leads_out = blueprint.leaks(Poison::WorkingDirectory) || careless::has_door_open(blueprint);
    let outside = leads_out.then(|| open_directory(Path::new("/"))).transpose()?;
    if blueprint.creates(Namespace::Mount) {
        build_root(blueprint, line, image)
    } else {
        stay_on_hosts_root(blueprint)
    }?;
    Ok(outside)
}

/// Without a mount namespace of its own, which only a sandbox broken on purpose is, there is nowhere to mount anything.
fn stay_on_hosts_root(blueprint: &Blueprint) -> Result<()> {
    identity::become_root(&blueprint.identity)?;
    set_up_namespaces(blueprint)
}

fn build_root(blueprint: &Blueprint, line: &OwnedFd, image: Option<&OwnedFd>) -> Result<()> {
    // While still the runner's own user, who can reach the image and the sources.
    let sources = furnish::open_sources(blueprint)?;
    root::raise_stage(&blueprint.stage, &blueprint.identity)?;
    if image.is_none() {
        root::lay_image(&blueprint.image)?;
    }
    identity::become_root(&blueprint.identity)?;
    image.map_or(Ok(()), root::lay_mapped_image)?;
    let new_root = root::raise_root(&blueprint.stage, blueprint.creates(Namespace::User))?;
    plant(&new_root, &blueprint.root.planted)?;
    if blueprint.has(&Defect::Careless) {
        careless::prepare(blueprint, &sources);
    }
    // Before `/proc/sys` may become read-only.
    set_up_namespaces(blueprint)?;
    furnish::furnish(blueprint, &new_root, &sources)?;
    root::seal(&new_root, furnish::flags_at(blueprint, "/"))?;
    let by_chroot = blueprint.has(&Defect::Chroot);
    if by_chroot { root::enter_by_chroot(&new_root) } else { root::enter(&new_root) }?;
    if blueprint.has(&Defect::SharedPropagation) {
        share_root(line)?;
    }
    if !blueprint.creates(Namespace::Pid) {
        show_root(line, Path::new("/"))?;
    }
    Ok(())
}

/// Puts the root into a peer group, and has the nursery mount another member of it on the host: what either mounts below, both see
/// (`mount_namespaces(7)`). Not earlier: what is mounted on a shared mount would be mounted on the host as well, and `pivot_root(2)` takes none.
fn share_root(line: &OwnedFd) -> Result<()> {
    let none: Option<&str> = None;
    nix::mount::mount(none, "/", none, MsFlags::MS_SHARED, none)
        .map_err(|errno| Failure::new("mount", &[&"/", &MsFlags::MS_SHARED], errno))?;
    let peer = sys::clone_tree(Path::new("/"))?;
    sys::send(line.as_fd(), b"peer", &[peer.as_raw_fd()])?;
    heard(line)
}

/// How something ended that the other end of the line did.
pub(in crate::sandbox) fn heard(line: &OwnedFd) -> Result<()> {
    let said = sys::receive(line.as_fd())?.and_then(|packet| serde_json::from_slice(&packet.bytes).ok());
    said.unwrap_or_else(|| Err(Failure::new("recvmsg", &[], Errno::EPIPE)))
}

/// What belongs to the namespaces and not to the root.
fn set_up_namespaces(blueprint: &Blueprint) -> Result<()> {
    name_host(blueprint)?;
    if blueprint.creates(Namespace::Net) {
        sys::bring_loopback_up()?;
    }
    set_sysctls(blueprint)
}

fn enter(birth: &Birth<'_>) -> Result<()> {
    sys::leave_session()?;
    poison::clean()?;
    identity::become_root(&birth.blueprint.identity)?;
    finish(birth.blueprint, birth.run)
}

/// What a first and a further process have in common.
fn finish(blueprint: &Blueprint, run: &RunDirectory) -> Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    if !careless::has_door_open(blueprint) {
        chdir(blueprint.cwd.as_str()).map_err(|errno| Failure::new("chdir", &[&blueprint.cwd], errno))?;
    }
    confine::confine(blueprint)?;
    if !blueprint.leaks(Poison::SessionKeyring) {
        poison::join_session_keyring()?;
    }
    poison::leak_late(blueprint, run)?;
    // A change of user has cleared both (prctl(2)): it must die with its parent, and its `/proc/PID` must be readable by its
    // equals, as that of a first process is which came by execve(2).
    die_with_parent()?;
    prctl::set_dumpable(true).map_err(|errno| Failure::new("prctl", &[&"PR_SET_DUMPABLE"], errno))
}

/// Hands the nursery the root directory, by which what outlives this process is found. As long as the nursery holds it, the kernel gives
/// the root's device number to no other sandbox.
pub(in crate::sandbox) fn show_root(line: &OwnedFd, root: &Path) -> Result<()> {
    let root = open_directory(root)?;
    sys::send(line.as_fd(), b"root", &[root.as_raw_fd()])
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open(path, flags, Mode::empty()).map_err(|errno| Failure::new("open", &[&path], errno))
}

/// The nursery's side of [`show_root`]; `None` if it was never shown.
pub(in crate::sandbox) fn root_shown(line: &OwnedFd) -> Option<OwnedFd> {
    let told = sys::pipe::wait(line, PollFlags::POLLIN, Instant::now()).ok()?;
    told.then(|| sys::receive(line.as_fd()))?.ok()??.fds.pop()
}

fn name_host(blueprint: &Blueprint) -> Result<()> {
    let Some(name) = blueprint.hostname.as_ref().filter(|_| !blueprint.has(&Defect::HostName)) else {
        // A new UTS namespace begins with a copy of the name.
        return Ok(());
    };
    nix::unistd::sethostname(name).map_err(|errno| Failure::new("sethostname", &[name], errno))
}

fn set_sysctls(blueprint: &Blueprint) -> Result<()> {
    for (name, value) in &blueprint.sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(&path, value).map_err(|error| Failure::from_io("write", &[&path, value], &error))?;
    }
    Ok(())
}

/// The clone is the agent: no execve(2) is needed, and so no program, loader or library in the image.
fn prepare_agent(birth: &Birth<'_>) -> Result<()> {
    sys::environment::overwrite(crate::agent::ROLE, &environment(birth))?;
    confine::install_filters(birth.filters)
}

/// Returns only when it could not.
fn become_command(birth: &Birth<'_>, argv: &[String]) -> Failure {
    let program = find_program(birth.blueprint, argv);
    // Only now may others join: before, the namespaces or the root may still be the host's.
    let told = Report::Ready.send(birth.report.as_fd(), &[]);
    match told.and_then(|()| confine::install_filters(birth.filters)) {
        Ok(()) => execute(&program, argv, &environment(birth)),
        Err(failure) => failure,
    }
}

fn environment(birth: &Birth<'_>) -> Vec<String> {
    let leaked = birth.blueprint.leaks(Poison::Environment).then(|| (poison::VARIABLE, birth.run.tag()));
    let own = birth.blueprint.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    own.chain(leaked).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Looks a program up as execvp(3) does, along the sandbox's own PATH.
fn find_program(blueprint: &Blueprint, argv: &[String]) -> String {
    let name = argv.first().map_or("", String::as_str);
    if name.contains('/') {
        return name.to_owned();
    }
    let path = blueprint.env.get("PATH").map_or("/usr/bin:/bin", String::as_str);
    let mut candidates = path.split(':').map(|directory| format!("{directory}/{name}"));
    candidates.find(|candidate| fs::metadata(candidate).is_ok()).unwrap_or_else(|| name.to_owned())
}

fn execute(program: &str, argv: &[String], environment: &[String]) -> Failure {
    let (Ok(path), Ok(argv), Ok(environment)) =
        (CString::new(program), c_strings(argv), c_strings(environment))
    else {
        return Failure::new("execve", &[&program], Errno::EINVAL);
    };
    match nix::unistd::execve(&path, &argv, &environment) {
        Err(errno) => Failure::new("execve", &[&program], errno),
    }
}

pub(in crate::sandbox) fn c_strings(words: &[String]) -> std::result::Result<Vec<CString>, NulError> {
    words.iter().map(|word| CString::new(word.as_str())).collect()
}
