//! Cgroups for limits, on version 1 and 2 alike: one directory per hierarchy below the runner's own cgroup, removed with
//! the sandbox. All carry the run's tag, by which a later run sweeps what a killed one left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use procfs::process::Process;

use super::blueprint::CgroupLimits;
use crate::sys::{Failure, Result};

/// The prefix of every cgroup directory of airtight's.
pub(in crate::sandbox) const PREFIX: &str = "airtight-";

/// A sandbox's cgroups.
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
        // What was made before a failure is removed again.
        let made = settings(limits).iter().try_for_each(|setting| cgroup.apply(setting, &name));
        made.inspect_err(|_| cgroup.remove()).map(|()| Some(cgroup))
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

    /// Removes the directories. They must be empty: the sandbox has ended.
    pub(in crate::sandbox) fn remove(&self) {
        for directory in &self.directories {
            remove(directory);
        }
    }
}

/// The kernel counts a process as gone from its cgroup a moment after it has been waited for; what stays all the same is
/// swept by the next run.
fn remove(directory: &Path) {
    for _ in 0..1000 {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => std::thread::yield_now(),
            _ => return,
        }
    }
}

/// Moves the caller into the cgroups of another process.
pub(in crate::sandbox) fn enter_cgroups_of(pid: i32) -> Result<()> {
    for (controllers, path) in membership(pid)? {
        let Some(mount) = mount_of(&controllers) else { continue };
        let directory = mount.join(path.trim_start_matches('/'));
        if directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            write(&directory.join("cgroup.procs"), "0")?;
        }
    }
    Ok(())
}

/// Whether limits of these kinds can be set on this machine: tried, by making a cgroup and removing it.
pub(in crate::sandbox) fn can_limit(limits: &CgroupLimits) -> Result<()> {
    let cgroup = Cgroup::create(&format!("probe-{}", std::process::id()), limits)?;
    cgroup.iter().for_each(Cgroup::remove);
    Ok(())
}

/// Removes what earlier runs left: cgroups whose run's process is no more.
pub(in crate::sandbox) fn sweep(alive: impl Fn(&str) -> bool) {
    for controller in ["memory", "pids", "cpu"] {
        let Ok(hierarchy) = Hierarchy::of(controller) else { continue };
        for entry in fs::read_dir(&hierarchy.parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let tag = name
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.rsplit_once('.'))
                .map(|(tag, _)| tag.to_owned());
            if tag.is_some_and(|tag| !alive(&tag)) {
                // One that still has processes is not ours to remove.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
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
        let handed = hands_down() || fs::write(&control, format!("+{controller}")).is_ok() && hands_down();
        if handed && nix::unistd::access(candidate, nix::unistd::AccessFlags::W_OK).is_ok() {
            return Ok(candidate.to_owned());
        }
    }
    Err(absent(controller))
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
    let failed = |error: procfs::ProcError| {
        Failure::new("read", &[&format!("/proc/{pid}/cgroup: {error}")], nix::errno::Errno::EIO)
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
