//! The guest's cgroups, in the form that is asked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::MsFlags;

use super::root::{attach, place};
use crate::vm::cgroups::Cgroups;

/// Where cgroups are.
const CGROUP: &str = "/sys/fs/cgroup";

/// Controllers that systemd mounts together, where the kernel has both.
const TOGETHER: [[&str; 2]; 2] = [["cpu", "cpuacct"], ["net_cls", "net_prio"]];

fn flags() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC
}

/// Mounts them as systemd has them. A kernel without cgroups is a kernel too: what it lacks is passed over.
pub(super) fn mount(cgroups: Cgroups) {
    match cgroups {
        Cgroups::V2 => {
            if place("cgroup2", CGROUP, flags(), "").is_ok() {
                hand_down(CGROUP);
            }
        }
        Cgroups::V1 => mount_version_1(&[]),
        Cgroups::Hybrid => mount_version_1(&[("cgroup2", "unified", "")]),
    }
}

/// A hierarchy for each controller, on a tmpfs that is then read-only; one that has none but tells who belongs to what; and these.
fn mount_version_1(further: &[(&str, &str, &str)]) {
    if place("tmpfs", CGROUP, flags(), "mode=755").is_err() {
        return;
    }
    for (kind, name, data) in further.iter().chain(&[("cgroup", "systemd", "none,name=systemd")]) {
        let _ = place(kind, &format!("{CGROUP}/{name}"), flags(), data);
    }
    for names in hierarchies(&fs::read_to_string("/proc/cgroups").unwrap_or_default()) {
        mount_controllers(&names);
    }
    let _ = attach("tmpfs", CGROUP, "", flags() | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, "mode=755");
}

fn mount_controllers(names: &[String]) {
    let joined = names.join(",");
    let directory = format!("{CGROUP}/{joined}");
    if place("cgroup", &directory, flags(), &joined).is_err() {
        // A kernel may have it in the unified hierarchy only (CONFIG_MEMCG_V1).
        let _ = fs::remove_dir(&directory);
        return;
    }
    // Before 5.11 a limit does not hold for what is below unless this is said; and the root has it only while nothing is below.
    let _ = fs::write(format!("{directory}/memory.use_hierarchy"), "1");
    for name in names.iter().filter(|name| **name != joined) {
        let _ = symlink(&joined, Path::new(CGROUP).join(name));
    }
}

/// The controllers of /proc/cgroups that are enabled, those together that belong together.
fn hierarchies(table: &str) -> Vec<Vec<String>> {
    let mut enabled: Vec<String> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let is_on = fields.last() == Some(&"1");
            fields.first().filter(|_| is_on).map(|name| (*name).to_owned())
        })
        .collect();
    let mut found = Vec::new();
    for pair in TOGETHER.map(|pair| pair.map(str::to_owned)) {
        if pair.iter().all(|name| enabled.contains(name)) {
            enabled.retain(|name| !pair.contains(name));
            found.push(pair.to_vec());
        }
    }
    found.extend(enabled.into_iter().map(|name| vec![name]));
    found
}

/// Lets the cgroups below have every controller. One that the kernel keeps to itself is no loss: it is written on its own.
pub(super) fn hand_down(directory: &str) {
    let controllers = fs::read_to_string(format!("{directory}/cgroup.controllers")).unwrap_or_default();
    for name in controllers.split_ascii_whitespace() {
        let _ = fs::write(format!("{directory}/cgroup.subtree_control"), format!("+{name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_those_of_systemd() {
        let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\nnet_cls\t0\t1\t1\nmemory\t0\t1\t0\npids\t0\t1\t1\n";
        let found: Vec<String> = hierarchies(table).iter().map(|names| names.join(",")).collect();
        assert_eq!(found, ["cpu,cpuacct", "cpuset", "net_cls", "pids"]);
        assert!(hierarchies("").is_empty());
    }
}
