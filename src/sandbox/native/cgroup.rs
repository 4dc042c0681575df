//! Cgroups for limits, on version 1 and 2 alike: one directory per hierarchy below the runner's own cgroup, removed with
//! the sandbox. All carry the run's tag, by which a later run sweeps what a killed one left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;

use super::blueprint::CgroupLimits;
use crate::sys::{Failure, Result};

/// The prefix of every cgroup directory of airtight's.
pub(in crate::sandbox) const PREFIX: &str = "airtight-";

/// How long a cgroup may take to be empty once its members have been killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sandbox's cgroups. Dropping it kills what is left in them, and removes them.
#[derive(Debug)]
pub(in crate::sandbox) struct Cgroup {
    directories: Vec<PathBuf>,
}

/// The file and text that express a limit.
struct Setting {
    controller: &'static str,
    v1: Vec<(&'static str, String)>,
    v2: (&'static str, String),
}

impl Cgroup {
    /// Makes the directories that these limits need, and writes the limits; `None` when there are none.
    pub(in crate::sandbox) fn create(tag: &str, limits: &CgroupLimits) -> Result<Option<Self>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if !limits.any() {
            return Ok(None);
        }
        let name = format!("{PREFIX}{tag}.{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut cgroup = Self { directories: Vec::new() };
        // What was made before a failure is dropped, and so removed again.
        settings(limits).iter().try_for_each(|setting| cgroup.apply(setting, &name))?;
        Ok(Some(cgroup))
    }

    fn apply(&mut self, setting: &Setting, name: &str) -> Result<()> {
        let hierarchy = Hierarchy::of(setting.controller)?;
        let directory = hierarchy.parent.join(name);
        if !self.directories.contains(&directory) {
            fs::create_dir(&directory).map_err(|error| Failure::from_io("mkdir", &[&directory], &error))?;
            self.directories.push(directory.clone());
        }
        let files = if hierarchy.unified { std::slice::from_ref(&setting.v2) } else { &setting.v1 };
        files.iter().try_for_each(|(file, text)| write(&directory.join(file), text))
    }

    /// Moves a process in; its children follow.
    pub(in crate::sandbox) fn enter(&self, pid: i32) -> Result<()> {
        self.directories
            .iter()
            .try_for_each(|directory| write(&directory.join("cgroup.procs"), &pid.to_string()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.directories.iter().for_each(|directory| remove(directory));
    }
}

/// Removes a cgroup with those that the sandbox made in it. What is left in them is killed: a process may have outlived the
/// sandbox's first one. The kernel counts a process as gone a moment after it has been waited for.
fn remove(directory: &Path) {
    let until = Instant::now() + PATIENCE;
    while fs::remove_dir(directory).is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
        && Instant::now() < until
    {
        end_members(directory);
        below_it(directory).for_each(|below| remove(&below));
        std::thread::yield_now();
    }
}

fn end_members(directory: &Path) {
    // Where it is frozen, version 1 would not let them die (cgroups(7), freezer).
    let _ = fs::write(directory.join("freezer.state"), "THAWED");
    // From now on no member can fork; there is no such file where pids are not controlled.
    let _ = fs::write(directory.join("pids.max"), "0");
    // All at once: Linux 5.14, version 2 (cgroups(7)).
    let _ = fs::write(directory.join("cgroup.kill"), "1");
    let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    // One of another PID namespace is shown as 0, which to kill(2) is everyone in the caller's process group.
    for pid in members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn below_it(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Moves the caller into the cgroups of another process, where they are not its own already.
pub(in crate::sandbox) fn enter_cgroups_of(pid: i32) -> Result<()> {
    let own = membership(i32::try_from(std::process::id()).unwrap_or(0))?;
    for group in membership(pid)?.into_iter().filter(|group| !own.contains(group)) {
        let (controllers, path) = group;
        let Some(mount) = mount_of(&controllers) else { continue };
        write(&mount.join(path.trim_start_matches('/')).join("cgroup.procs"), "0")?;
    }
    Ok(())
}

/// Whether limits of these kinds can be set on this machine: tried, by making a cgroup and removing it.
pub(in crate::sandbox) fn can_limit(limits: &CgroupLimits) -> Result<()> {
    Cgroup::create(&probe(&std::process::id().to_string()), limits).map(drop)
}

/// The tag of the cgroups by which a runner finds out what can be limited.
fn probe(runner: &str) -> String {
    format!("{runner}-probe")
}

/// Removes the cgroups of a run that has ended, or has died.
pub(in crate::sandbox) fn sweep(tag: &str) {
    let runner = tag.split('-').next().unwrap_or_default();
    let prefixes = [format!("{PREFIX}{tag}."), format!("{PREFIX}{}.", probe(runner))];
    for controller in ["memory", "pids", "cpu"] {
        let Ok(hierarchy) = Hierarchy::of(controller) else { continue };
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = |path: &PathBuf| prefixes.iter().any(|prefix| name(path).starts_with(prefix));
        below_it(&hierarchy.parent).filter(ours).for_each(|directory| remove(&directory));
    }
}

/// How deep runtimes put the cgroups of their sandboxes, at the most.
const DEPTH: usize = 8;

/// Removes what runtimes have made for the sandboxes of a run that has ended, in whatever hierarchy and wherever in it: `runc` leaves its
/// directories behind when it is killed. What is left in them is killed.
pub(in crate::sandbox) fn sweep_hierarchies(tag: &str) {
    named_after_runs().filter(|(_, of)| of == tag).for_each(|(directory, _)| remove(&directory));
}

/// Removes those of runs that are over; what still lives in one is let be.
pub(in crate::sandbox) fn sweep_those_of_the_dead(is_alive: impl Fn(&str) -> bool) {
    let dead = named_after_runs().filter(|(_, tag)| !is_alive(tag));
    dead.for_each(|(directory, _)| remove_empty(&directory, DEPTH));
}

fn remove_empty(directory: &Path, depth: usize) {
    if depth > 0 {
        below_it(directory).for_each(|below| remove_empty(&below, depth - 1));
    }
    // It fails where there is a process in it.
    let _ = fs::remove_dir(directory);
}

/// The cgroups that have a run's tag in their name, with the tag.
fn named_after_runs() -> impl Iterator<Item = (PathBuf, String)> {
    let mounts = Process::myself().and_then(|process| process.mountinfo()).ok().into_iter().flatten();
    let mounts = mounts.filter(|mount| matches!(mount.fs_type.as_str(), "cgroup" | "cgroup2"));
    mounts.flat_map(|mount| named_below(&mount.mount_point, DEPTH))
}

fn named_below(directory: &Path, depth: usize) -> Vec<(PathBuf, String)> {
    if depth == 0 {
        return Vec::new();
    }
    let found = below_it(directory).map(|path| {
        let tag = path.file_name().and_then(|name| tag_in(&name.to_string_lossy()));
        match tag {
            Some(tag) => vec![(path, tag)],
            None => named_below(&path, depth - 1),
        }
    });
    found.flatten().collect()
}

/// The tag in the name of a sandbox or of what a runtime makes of that: `lxc.payload.airtight-4711-0123abcd.c2`.
fn tag_in(name: &str) -> Option<String> {
    let (_, rest) = name.split_once(PREFIX)?;
    let (tag, _) = rest.split_once('.')?;
    let (pid, word) = tag.split_once('-')?;
    let is_ours = !pid.is_empty() && pid.chars().all(|digit| digit.is_ascii_digit());
    let is_random = word.len() == 8 && word.chars().all(|digit| digit.is_ascii_hexdigit());
    (is_ours && is_random).then(|| tag.to_owned())
}

/// Where a controller's cgroups can be made.
struct Hierarchy {
    /// The directory that is to hold them.
    parent: PathBuf,
    unified: bool,
}

impl Hierarchy {
    fn of(controller: &str) -> Result<Self> {
        let own = membership(i32::try_from(std::process::id()).unwrap_or(0))?;
        let named = |controllers: &[String]| controllers.iter().any(|name| name == controller);
        if let Some((controllers, path)) = own.iter().find(|(controllers, _)| named(controllers)) {
            let mount = mount_of(controllers).ok_or_else(|| absent(controller))?;
            return Ok(Self { parent: below(&mount, path), unified: false });
        }
        let (_, path) =
            own.iter().find(|(controllers, _)| controllers.is_empty()).ok_or_else(|| absent(controller))?;
        let mount = mount_of(&[]).ok_or_else(|| absent(controller))?;
        delegated(&mount, path, controller).map(|parent| Self { parent, unified: true })
    }
}

fn absent(controller: &str) -> Failure {
    Failure::new("find cgroup controller", &[&controller], nix::errno::Errno::ENOENT)
}

fn below(mount: &Path, path: &str) -> PathBuf {
    let inside = mount.join(path.trim_start_matches('/'));
    // In a cgroup namespace, or with a hierarchy bound from elsewhere, the path may lie outside the mount.
    if inside.is_dir() { inside } else { mount.to_owned() }
}

/// In version 2 only a cgroup without processes may hand controllers down (cgroups(7), no internal processes), so the
/// nearest ancestor that does, or can be made to, holds the sandboxes'.
fn delegated(mount: &Path, path: &str, controller: &str) -> Result<PathBuf> {
    let own = below(mount, path);
    for candidate in own.ancestors().take_while(|candidate| candidate.starts_with(mount)) {
        let control = candidate.join("cgroup.subtree_control");
        let hands_down = || {
            let text = fs::read_to_string(&control).unwrap_or_default();
            text.split_ascii_whitespace().any(|name| name == controller)
        };
        let asked = || may_hand_down(candidate) && fs::write(&control, format!("+{controller}")).is_ok();
        let handed = hands_down() || asked() && hands_down();
        if handed && nix::unistd::access(candidate, nix::unistd::AccessFlags::W_OK).is_ok() {
            return Ok(candidate.to_owned());
        }
    }
    Err(absent(controller))
}

/// Controllers that also limit threads, pids and cpu, can be handed down from among processes: but then all cgroups below are for threads of those, and
/// no other process may enter them (EOPNOTSUPP). Only the root has no type, and may have processes.
fn may_hand_down(cgroup: &Path) -> bool {
    let members = || fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    !cgroup.join("cgroup.type").exists() || members().is_empty()
}

fn settings(limits: &CgroupLimits) -> Vec<Setting> {
    let memory = limits.memory.map(|bytes| Setting {
        controller: "memory",
        v1: vec![("memory.limit_in_bytes", bytes.to_string())],
        v2: ("memory.max", bytes.to_string()),
    });
    let pids = limits.pids.map(|count| Setting {
        controller: "pids",
        v1: vec![("pids.max", count.to_string())],
        v2: ("pids.max", count.to_string()),
    });
    // A period of 100 ms, of which the quota is a share.
    let cpu = limits.cpu.map(|percent| Setting {
        controller: "cpu",
        v1: vec![
            ("cpu.cfs_period_us", "100000".to_owned()),
            ("cpu.cfs_quota_us", (percent * 1000).to_string()),
        ],
        v2: ("cpu.max", format!("{} 100000", percent * 1000)),
    });
    [memory, pids, cpu].into_iter().flatten().collect()
}

/// (controllers, path) of each hierarchy; no controllers: version 2.
fn membership(pid: i32) -> Result<Vec<(Vec<String>, String)>> {
    let path = format!("/proc/{pid}/cgroup");
    let failed = |error: procfs::ProcError| match error {
        procfs::ProcError::Io(error, _) => Failure::from_io("read", &[&path], &error),
        other => Failure::new("read", &[&format!("{path}: {other}")], nix::errno::Errno::EIO),
    };
    let groups = Process::new(pid).and_then(|process| process.cgroups()).map_err(failed)?;
    let parts = groups.into_iter().map(|group| {
        (group.controllers.into_iter().filter(|name| !name.is_empty()).collect(), group.pathname)
    });
    Ok(parts.collect())
}

/// Where the hierarchy with exactly these controllers is mounted; none: version 2.
fn mount_of(controllers: &[String]) -> Option<PathBuf> {
    let mounts = Process::myself().and_then(|process| process.mountinfo()).ok()?;
    let fits = |mount: &procfs::process::MountInfo| match mount.fs_type.as_str() {
        "cgroup2" => controllers.is_empty(),
        "cgroup" => {
            !controllers.is_empty() && controllers.iter().all(|name| mount.super_options.contains_key(name))
        }
        _ => false,
    };
    mounts.into_iter().find(fits).map(|mount| mount.mount_point)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| Failure::from_io("write", &[&path, &text], &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_tag_are_a_runs() {
        let check = |name: &str, tag: Option<&str>| assert_eq!(tag_in(name).as_deref(), tag, "{name}");
        check("airtight-4711-0123abcd.c2", Some("4711-0123abcd"));
        check("lxc.payload.airtight-4711-0123abcd.c2", Some("4711-0123abcd"));
        check("crun-airtight-4711-0123abcd.c2.scope", Some("4711-0123abcd"));
        // Those by which a runner finds out what can be limited.
        check("airtight-4711-probe.0", None);
        check("airtight-4711-0123abcd", None);
        check("airtight-x-0123abcd.c2", None);
        check("airtight.slice", None);
        check("system.slice", None);
    }
}
