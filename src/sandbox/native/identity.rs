//! Ids: the map of a new user namespace, and becoming someone in it.

use std::fs;
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::blueprint::{Blueprint, IdMap, Identity};
use crate::sys::{Failure, Result};

/// Writes the id maps of a new process's user namespace; the parent does it, which has its rights in the namespace above
/// (`user_namespaces(7)`).
pub(in crate::sandbox) fn write_maps(pid: i32, map: &IdMap) -> Result<()> {
    match map {
        IdMap::None => Ok(()),
        IdMap::Ranges(ranges) => {
            write(pid, "uid_map", &lines(ranges))?;
            write(pid, "gid_map", &lines(ranges))
        }
        IdMap::Own { uid, gid } => {
            write(pid, "uid_map", &format!("{uid} {} 1", Uid::effective()))?;
            // Without this an ordinary user could drop a group by which access is denied (CVE-2014-8989).
            write(pid, "setgroups", "deny")?;
            write(pid, "gid_map", &format!("{gid} {} 1", Gid::effective()))
        }
        IdMap::Subordinate { users, groups } => {
            map_with("newuidmap", pid, users)?;
            map_with("newgidmap", pid, groups)
        }
    }
}

/// Becomes the user namespace's root, or who is mapped if it has none, so that what is made from here on has an owner there.
pub(super) fn become_root(identity: &Identity) -> Result<()> {
    match &identity.map {
        IdMap::None => Ok(()),
        IdMap::Own { uid, gid } => switch(*uid, *gid, false),
        IdMap::Ranges(ranges) => switch(first_id(ranges), first_id(ranges), true),
        IdMap::Subordinate { users, groups } => switch(first_id(users), first_id(groups), true),
    }
}

/// Becomes the user that the spec names.
pub(super) fn become_user(blueprint: &Blueprint) -> Result<()> {
    let identity = &blueprint.identity;
    switch(identity.uid, identity.gid, may_set_groups(identity))
}

fn may_set_groups(identity: &Identity) -> bool {
    !matches!(identity.map, IdMap::Own { .. }) && (Uid::effective().is_root() || identity.map != IdMap::None)
}

fn first_id(ranges: &[(u32, u32, u32)]) -> u32 {
    if ranges.iter().any(|(inside, _, _)| *inside == 0) {
        0
    } else {
        ranges.first().map_or(0, |range| range.0)
    }
}

fn switch(uid: u32, gid: u32, groups: bool) -> Result<()> {
    if groups {
        setgroups(&[]).map_err(|errno| Failure::new("setgroups", &[], errno))?;
    }
    let group = Gid::from_raw(gid);
    setresgid(group, group, group).map_err(|errno| Failure::new("setresgid", &[&gid], errno))?;
    let user = Uid::from_raw(uid);
    setresuid(user, user, user).map_err(|errno| Failure::new("setresuid", &[&uid], errno))
}

fn lines(ranges: &[(u32, u32, u32)]) -> String {
    let line = |(inside, outside, count): &(u32, u32, u32)| format!("{inside} {outside} {count}\n");
    ranges.iter().map(line).collect()
}

/// The kernel takes a map in a single write.
fn write(pid: i32, file: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    fs::write(&path, text).map_err(|error| Failure::from_io("write", &[&path, &text], &error))
}

/// newuidmap(1) has the rights that an ordinary user lacks, within /etc/subuid.
fn map_with(program: &str, pid: i32, ranges: &[(u32, u32, u32)]) -> Result<()> {
    let numbers = ranges.iter().flat_map(|(inside, outside, count)| [*inside, *outside, *count]);
    let words: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let output = Command::new(program).arg(pid.to_string()).args(&words).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(Failure::new(program, &[&words], nix::errno::Errno::EPERM)),
        Err(error) => Err(Failure::from_io(program, &[&words], &error)),
    }
}
