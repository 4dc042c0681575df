//! cgroups of version 2, mounted where nobody else looks. What is made lies below a cgroup of the experiment's own, which is taken away again.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::unistd::getpid;

use super::Experiment;
use super::child::{Child, begin, soon, start, within};
use super::ground::{directory, open_directory, own, scratch};
use super::pid::waits;
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::offspring::Birth;

/// `CLONE_INTO_CGROUP`, Linux 5.7.
const INTO_CGROUP: u64 = 1 << 33;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "cgroup_join",
        &["new", "threaded_invalid", "removed", "internal"],
        "write() of a PID to cgroup.procs",
        join,
    ),
    Experiment::of("cgroup_remove", &["empty", "populated", "parent"], "rmdir() of a cgroup", remove),
    Experiment::plain(
        "cgroup_populated",
        "`populated` of the parent's cgroup.events, with a process below and without",
        populated,
    ),
    Experiment::of(
        "cgroup_kill",
        &["process", "tree"],
        "1 written to cgroup.kill: how a process there, or further down, ends",
        kill,
    ),
    Experiment::plain("cgroup_kill_threaded", "1 written to cgroup.kill of a threaded cgroup", kill_threaded),
    Experiment::of(
        "cgroup_freeze",
        &["process", "below", "arrival", "killed", "thawed"],
        "1 written to cgroup.freeze: what becomes of a process there",
        freeze,
    ),
    Experiment::plain("cgroup_clone_into", "clone3(CLONE_INTO_CGROUP): where the child is", clone_into),
    Experiment::of(
        "cgroup_namespace",
        &["own", "parent", "below"],
        "/proc/PID/cgroup as a cgroup namespace shows it",
        namespace,
    ),
    Experiment::plain(
        "cgroup_escape",
        "cgroup.procs of the root, opened by a mount that was made within a cgroup namespace: the cgroup after",
        escape,
    ),
    Experiment::of(
        "cgroup_limit",
        &["depth", "descendants"],
        "mkdir() beyond cgroup.max.depth or cgroup.max.descendants",
        limit,
    ),
    Experiment::of(
        "cgroup_type",
        &["threaded", "back", "child"],
        "cgroup.type after `threaded` was written, of the cgroup and of a new one below; `domain` written again",
        kind,
    ),
    Experiment::of(
        "cgroup_enable",
        &["lacking", "unknown", "used_below"],
        "a controller enabled that the parent does not hand on, or that does not exist; disabled while in use below",
        enable,
    ),
    Experiment::of("cgroup_pids", &["fork", "events", "clone_into"], "clone() beyond pids.max", pids),
    Experiment::of(
        "cgroup_memory",
        &["inside", "outside", "group"],
        "more memory taken than memory.max: how the process ends, and how its neighbours do",
        memory,
    ),
    Experiment::plain(
        "cgroup_open_rights",
        "a PID written to cgroup.procs by root, through a descriptor that somebody without rights has opened",
        open_rights,
    ),
];

/// A cgroup of its own, for as long as the experiment lasts.
struct Own(PathBuf);

impl Own {
    fn make() -> Result<Self, Trouble> {
        scratch()?;
        directory("cgroup")?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("cgroup2"), "cgroup", Some("cgroup2"), flags, None::<&str>).prepares("mount(cgroup2)")?;
        let here = std::env::current_dir().prepares("getcwd()")?.join("cgroup");
        // Sandboxes side by side have the same PIDs, and this tree in common.
        let word = crate::sys::random_word().map_err(|failure| Trouble::new(failure.to_string()))?;
        Self::below(&here, &format!("airtight-experiment-{word}"))
    }

    fn below(parent: &Path, name: &str) -> Result<Self, Trouble> {
        let path = parent.join(name);
        fs::create_dir(&path).prepares("mkdir(cgroup)")?;
        Ok(Self(path))
    }

    fn child(&self, name: &str) -> Result<Self, Trouble> {
        Self::below(&self.0, name)
    }

    fn write(&self, file: &str, text: &str) -> std::io::Result<()> {
        fs::write(self.0.join(file), text)
    }

    fn read(&self, file: &str) -> Result<String, Trouble> {
        Ok(fs::read_to_string(self.0.join(file)).prepares(file)?.trim_end().to_owned())
    }

    /// A process in it, that only waits.
    fn resident(&self) -> Result<Child, Trouble> {
        let child = start(0, waits)?;
        child.line.wait()?;
        self.write("cgroup.procs", &child.pid.to_string()).prepares("write(cgroup.procs)")?;
        Ok(child)
    }

    fn events(&self, name: &str, wanted: &str) -> bool {
        soon(|| {
            fs::read_to_string(self.0.join("cgroup.events"))
                .is_ok_and(|text| text.contains(&format!("{name} {wanted}")))
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Whoever is in it dies with the experiment, or was killed; nobody is left once it can be removed.
        let _thawed = self.write("cgroup.freeze", "0");
        for pid in fs::read_to_string(self.0.join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
            .filter_map(|pid| pid.parse().ok())
        {
            if pid != getpid().as_raw() {
                let _killed = crate::sys::signals::kill(pid, libc::SIGKILL);
            }
        }
        soon(|| {
            while nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG))
                .is_ok_and(|status| status.pid().is_some())
            {}
            !matches!(fs::remove_dir(&self.0), Err(error) if error.raw_os_error() == Some(libc::EBUSY))
        });
    }
}

fn join(how: &str) -> Seen {
    let own = Own::make()?;
    let child = start(0, waits)?;
    child.line.wait()?;
    let pid = child.pid.to_string();
    match how {
        "threaded_invalid" => {
            let (threaded, other) = (own.child("a")?, own.child("b")?);
            threaded.write("cgroup.type", "threaded").prepares("write(cgroup.type)")?;
            control(other.read("cgroup.type")? == "domain invalid", "its neighbour is an invalid domain")?;
            tried(other.write("cgroup.procs", &pid))
        }
        "removed" => {
            let below = own.child("a")?;
            let procs = fs::OpenOptions::new()
                .write(true)
                .open(below.0.join("cgroup.procs"))
                .prepares("open(cgroup.procs)")?;
            fs::remove_dir(&below.0).prepares("rmdir()")?;
            tried(std::io::Write::write(&mut &procs, pid.as_bytes()))
        }
        "internal" => {
            let below = own.child("a")?;
            control(own.write("cgroup.procs", &pid).is_ok(), "before that it can be joined")?;
            below.write("cgroup.procs", &pid).prepares("write(cgroup.procs)")?;
            own.write("cgroup.subtree_control", "+pids").prepares("write(cgroup.subtree_control)")?;
            tried(own.write("cgroup.procs", &pid))
        }
        _ => tried(own.write("cgroup.procs", &pid)),
    }
}

fn remove(what: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    let _resident = if what == "populated" { Some(below.resident()?) } else { None };
    tried(fs::remove_dir(if what == "parent" { &own.0 } else { &below.0 }))
}

fn populated(_: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    let before = own.events("populated", "0");
    let resident = below.resident()?;
    let during = own.events("populated", "1");
    resident.kill()?;
    let after = own.events("populated", "0");
    gave(if before && during && after { "0, 1, 0" } else { "otherwise" })
}

fn kill(what: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    let resident = if what == "tree" { below.resident()? } else { own.resident()? };
    let neighbour = start(0, waits)?;
    neighbour.line.wait()?;
    own.write("cgroup.kill", "1").prepares("write(cgroup.kill)")?;
    let ended = resident.end()?;
    neighbour.line.go()?;
    control(neighbour.line.wait().is_ok(), "a process that is not in it lives")?;
    gave(ended)
}

fn kill_threaded(_: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    control(below.write("cgroup.kill", "1").is_ok(), "as a domain it takes it")?;
    below.write("cgroup.type", "threaded").prepares("write(cgroup.type)")?;
    tried(below.write("cgroup.kill", "1"))
}

/// Whether a process answers within a moment.
fn answers(child: &Child) -> Result<bool, Trouble> {
    child.line.go()?;
    let soon = std::time::Instant::now() + std::time::Duration::from_millis(100);
    crate::sys::pipe::wait(child.line.as_fd(), nix::poll::PollFlags::POLLIN, soon)
        .map_err(|failure| Trouble::new(failure.to_string()))
}

fn freeze(what: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    let resident = if what == "arrival" {
        start(0, waits)?
    } else if what == "below" {
        below.resident()?
    } else {
        own.resident()?
    };
    if what == "arrival" {
        resident.line.wait()?;
    }
    own.write("cgroup.freeze", "1").prepares("write(cgroup.freeze)")?;
    control(what == "arrival" || own.events("frozen", "1"), "it tells that it is frozen")?;
    match what {
        "arrival" => {
            own.write("cgroup.procs", &resident.pid.to_string()).prepares("write(cgroup.procs)")?;
            control(own.events("frozen", "1"), "it tells that it is frozen")?;
        }
        "killed" => {
            resident.signal(libc::SIGKILL)?;
            return gave(resident.end()?);
        }
        "thawed" => {
            own.write("cgroup.freeze", "0").prepares("write(cgroup.freeze)")?;
            resident.line.go()?;
            resident.line.wait()?;
            return gave("goes on");
        }
        _ => {}
    }
    gave(if answers(&resident)? { "goes on" } else { "stands still" })
}

fn clone_into(_: &str) -> Seen {
    let own = Own::make()?;
    let directory = open_directory(&own.0)?;
    let birth = Birth { flags: INTO_CGROUP, cgroup: Some(directory.as_fd()), ..Birth::default() };
    let (born, line) = begin(&birth, waits)?;
    let born = born.prepares("clone3(CLONE_INTO_CGROUP)")?;
    line.wait()?;
    gave(if own.read("cgroup.procs")? == born.pid.to_string() { "there" } else { "elsewhere" })
}

/// The line of version 2 in `/proc/PID/cgroup`.
fn shown(pid: &str) -> Result<String, Trouble> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).prepares("read(cgroup)")?;
    super::ground::line(&text, "0:")
}

fn namespace(what: &str) -> Seen {
    let cgroup = Own::make()?;
    let below = cgroup.child("a")?;
    let neighbour = match what {
        "parent" => cgroup.resident()?,
        _ => below.resident()?,
    };
    gave(within(0, || {
        let here = if what == "below" { &cgroup } else { &below };
        here.write("cgroup.procs", &getpid().to_string()).prepares("write(cgroup.procs)")?;
        own(CloneFlags::CLONE_NEWCGROUP)?;
        shown(&if what == "own" { "self".to_owned() } else { neighbour.pid.to_string() })
    })?)
}

fn escape(_: &str) -> Seen {
    let cgroup = Own::make()?;
    gave(within(0, || {
        cgroup.write("cgroup.procs", &getpid().to_string()).prepares("write(cgroup.procs)")?;
        own(CloneFlags::CLONE_NEWCGROUP | CloneFlags::CLONE_NEWNS)?;
        directory("inner")?;
        mount(Some("cgroup2"), "inner", Some("cgroup2"), MsFlags::empty(), None::<&str>)
            .prepares("mount(cgroup2)")?;
        fs::write("inner/cgroup.procs", "0").prepares("write(cgroup.procs)")?;
        shown("self")
    })?)
}

fn limit(what: &str) -> Seen {
    let own = Own::make()?;
    let file = format!("cgroup.max.{what}");
    let first = own.child("a")?;
    own.write(&file, "1").prepares(&file)?;
    tried(fs::create_dir(first.0.join("b")).inspect(|()| drop(fs::remove_dir(first.0.join("b")))))
}

fn kind(what: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    below.write("cgroup.type", "threaded").prepares("write(cgroup.type)")?;
    match what {
        "back" => tried(below.write("cgroup.type", "domain")),
        "child" => gave(below.child("b")?.read("cgroup.type")?),
        _ => gave(format!("{}, parent {}", below.read("cgroup.type")?, own.read("cgroup.type")?)),
    }
}

fn enable(what: &str) -> Seen {
    let own = Own::make()?;
    let below = own.child("a")?;
    let control_of = |cgroup: &Own, text: &str| cgroup.write("cgroup.subtree_control", text);
    match what {
        "lacking" => tried(control_of(&below, "+pids")),
        "unknown" => tried(control_of(&own, "+airtight")),
        _ => {
            control_of(&own, "+pids").prepares("write(cgroup.subtree_control)")?;
            let last = below.child("b")?;
            control_of(&below, "+pids").prepares("write(cgroup.subtree_control) below")?;
            let _kept = last;
            tried(control_of(&own, "-pids"))
        }
    }
}

fn pids(what: &str) -> Seen {
    let own = Own::make()?;
    let below = limited(&own, "pids", "pids.max", "1")?;
    let resident = if what == "clone_into" { Some(below.resident()?) } else { None };
    let directory = open_directory(&below.0)?;
    if resident.is_some() {
        let birth = Birth { flags: INTO_CGROUP, cgroup: Some(directory.as_fd()), ..Birth::default() };
        return tried(begin(&birth, |_| Ok(()))?.0);
    }
    let errno = within(0, || {
        below.write("cgroup.procs", &getpid().to_string()).prepares("write(cgroup.procs)")?;
        Ok(super::pidfd::number(begin(&Birth::default(), |_| Ok(()))?.0))
    })?;
    if what == "events" { gave(below.read("pids.events")?) } else { super::pidfd::failed(errno) }
}

/// A cgroup below, with a controller enabled and a limit set.
fn limited(own: &Own, controller: &str, file: &str, limit: &str) -> Result<Own, Trouble> {
    own.write("cgroup.subtree_control", &format!("+{controller}"))
        .prepares("write(cgroup.subtree_control)")?;
    let below = own.child("a")?;
    below.write(file, limit).prepares(file)?;
    Ok(below)
}

fn memory(what: &str) -> Seen {
    let own = Own::make()?;
    let below = limited(&own, "memory", "memory.max", "8388608")?;
    // Without swap there is nowhere else to go.
    let _noswap = below.write("memory.swap.max", "0");
    if what == "group" {
        below.write("memory.oom.group", "1").prepares("write(memory.oom.group)")?;
    }
    let neighbour = if what == "group" { below.resident()? } else { own_neighbour()? };
    let eater = start(0, |line| {
        line.wait()?;
        let eaten = vec![1_u8; 64 << 20];
        line.say(&eaten.iter().map(|byte| u64::from(*byte)).sum::<u64>())
    })?;
    below.write("cgroup.procs", &eater.pid.to_string()).prepares("write(cgroup.procs)")?;
    eater.line.go()?;
    let ended = eater.end()?;
    match what {
        "inside" => gave(ended),
        "group" => gave(neighbour.end()?),
        _ => {
            control(ended == "SIGKILL", "whoever takes too much is killed")?;
            neighbour.line.go()?;
            gave(if neighbour.line.wait().is_ok() { "lives" } else { "ended" })
        }
    }
}

fn own_neighbour() -> Result<Child, Trouble> {
    let child = start(0, waits)?;
    child.line.wait()?;
    Ok(child)
}

fn open_rights(_: &str) -> Seen {
    let own = Own::make()?;
    let (from, to) = (own.child("a")?, own.child("b")?);
    for cgroup in [&own, &from, &to] {
        // Whoever opens it may write there; it is the move that is not his to make.
        let procs = cgroup.0.join("cgroup.procs");
        fs::set_permissions(procs, std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .prepares("chmod()")?;
    }
    let resident = from.resident()?;
    let pid = resident.pid.to_string();
    control(
        to.write("cgroup.procs", &pid).is_ok() && from.write("cgroup.procs", &pid).is_ok(),
        "root can move it",
    )?;
    // The common ancestor may be written to by root only.
    fs::set_permissions(own.0.join("cgroup.procs"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .prepares("chmod()")?;
    let other = nix::unistd::Uid::from_raw(1000);
    nix::unistd::seteuid(other).prepares("seteuid()")?;
    let opened = fs::OpenOptions::new().write(true).open(to.0.join("cgroup.procs"));
    nix::unistd::seteuid(nix::unistd::Uid::from_raw(0)).prepares("seteuid()")?;
    let opened = opened.prepares("open(cgroup.procs)")?;
    tried(std::io::Write::write(&mut &opened, pid.as_bytes()))
}
