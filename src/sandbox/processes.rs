//! Which processes there are, as procfs tells it.

use std::fs;

/// All that this process's procfs shows.
pub(super) fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The same, those first that were probably made last: PIDs are given in turn.
pub(super) fn newest_first() -> Vec<i32> {
    let mut all = all();
    all.sort_unstable_by(|one, other| other.cmp(one));
    all
}

/// Those that descend from this process, without itself. Where the kernel keeps no lists of children (`CONFIG_PROC_CHILDREN`), all that there
/// are.
///
/// A list may lack somebody while another child ends (`proc_tid_children(5)`): who must be sure looks twice.
pub(super) fn descendants() -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    if fs::exists("/proc/thread-self/children").unwrap_or(false) { below(own) } else { all() }
}

fn below(root: i32) -> Vec<i32> {
    let mut found: Vec<i32> = children(root).collect();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        // Who is handed to another parent meanwhile is met again there.
        found.extend(children(pid));
        next += 1;
    }
    found
}

/// Of all of its threads: each has children of its own.
fn children(pid: i32) -> impl Iterator<Item = i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_grandchild_is_a_descendant_and_a_parent_is_none() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & echo; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let own = i32::try_from(shell.id()).unwrap();
        // What it says comes after its child.
        shell.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let (child, found) = (children(own).next().unwrap(), descendants());
        assert!(found.contains(&own) && found.contains(&child), "{found:?}");
        assert!(!found.contains(&1), "{found:?}");
        let newest = newest_first();
        assert!(newest.iter().position(|pid| *pid == child) < newest.iter().position(|pid| *pid == 1));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL).unwrap();
        shell.wait().unwrap();
    }
}
