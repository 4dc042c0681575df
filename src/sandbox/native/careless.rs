//! What a careless runtime does before it makes the sandbox, and only a sandbox broken on purpose: it makes ready what it will mount by the
//! host's paths, on which links of the image lead out of the root.

use std::fs::{self, OpenOptions};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::blueprint::Blueprint;
use super::defects::Defect;
use super::furnish::DEVICES;
use super::root::{ROOT, is_directory};
use crate::spec::Plant;

/// What engines write for a container.
const WRITTEN: [&str; 5] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/passwd", "/etc/group"];

/// Directories that each sandbox has.
const DIRECTORIES: [&str; 7] =
    ["/dev/pts", "/dev/shm", "/proc/sys", "/sys/fs", "/run/lock", "/tmp/x", "/var/lib"];

/// Whether it would do harm to nothing but what was laid out for it: each link that is planted leads to this folder.
pub(super) fn leads_only_to(planted: &[Plant], folder: &str) -> bool {
    let mut links = planted.iter().filter_map(|plant| plant.link.as_ref()).peekable();
    links.peek().is_some() && links.all(|link| link.starts_with(folder) && !link.contains(".."))
}

/// Whether its working directory is a descriptor by its number, and it has a directory of the host's open under just that: CVE-2024-21626.
pub(super) fn has_door_open(blueprint: &Blueprint) -> bool {
    blueprint.has(&Defect::Careless) && blueprint.cwd.starts_with("/proc/self/fd/")
}

/// Makes ready what it can; the sandbox is made after it as always.
pub(super) fn prepare(blueprint: &Blueprint, sources: &[Option<OwnedFd>]) {
    let run = blueprint.stage.parent().unwrap_or(Path::new("/no such folder")).to_string_lossy();
    if !leads_only_to(&blueprint.root.planted, &format!("{run}/")) {
        return;
    }
    let root = blueprint.stage.join(ROOT);
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    for path in DIRECTORIES.into_iter().chain([blueprint.cwd.as_str()]) {
        let _ = fs::create_dir_all(at(path));
    }
    for (mount, source) in blueprint.root.mounts.iter().zip(sources) {
        let is_file = source.as_ref().is_some_and(|source| is_directory(source).is_ok_and(|is| !is));
        if is_file { touch(&at(&mount.target), false) } else { drop(fs::create_dir_all(at(&mount.target))) }
    }
    let covered = blueprint.root.masks.iter().chain(&blueprint.root.read_only_paths);
    covered.for_each(|path| touch(&at(path), false));
    blueprint.root.masks.iter().for_each(|path| bind(&at("/dev/null"), &at(path)));
    for (name, ..) in DEVICES {
        touch(&at("/dev").join(name), false);
    }
    for path in WRITTEN {
        touch(&at(path), true);
    }
}

/// As mount(8) does, which follows links: CVE-2025-31133. What it should be is a device.
fn bind(source: &Path, target: &Path) {
    if source.is_file() && target.is_file() {
        let _ = mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>);
    }
}

/// As `echo >FILE` does, or touch(1).
fn touch(path: &Path, write: bool) {
    let file = OpenOptions::new().write(true).create(true).truncate(write).open(path);
    let _ =
        file.and_then(|mut file| if write { std::io::Write::write_all(&mut file, b"\n") } else { Ok(()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_laid_out_is_led_to() {
        let check = |links: &[&str], expected: bool| {
            let plant = |link: &&str| Plant { link: Some((*link).to_owned()), ..Plant::default() };
            let planted: Vec<Plant> = links.iter().map(plant).collect();
            assert_eq!(leads_only_to(&planted, "/tmp/run/"), expected, "{links:?}");
        };
        check(&[], false);
        check(&["/tmp/run/scratch-0"], true);
        check(&["/tmp/run/scratch-0", "/etc"], false);
        check(&["/tmp/run/../../etc"], false);
        check(&["/tmp/runner"], false);
    }
}
