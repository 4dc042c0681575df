//! What a spec has planted in the image: laid into the new root before anything is mounted on it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use rustix::fs::Dir;

use super::root::{Place, find};
use crate::spec::Plant;
use crate::sys::{Failure, Result};

/// How deep a directory may be that has to make room.
const DEPTH: usize = 16;

/// Lays them into the root, in order. Paths are resolved in it, whatever links were planted before.
pub(in crate::sandbox) fn plant(root: &OwnedFd, plants: &[Plant]) -> Result<()> {
    plants.iter().try_for_each(|plant| lay(root, plant))
}

fn lay(root: &OwnedFd, plant: &Plant) -> Result<()> {
    let path = Path::new(&plant.path);
    let (Some(parent), Some(name)) =
        (path.parent().and_then(Path::to_str), path.file_name().and_then(|name| name.to_str()))
    else {
        return Err(Failure::new("plant", &[&plant.path], Errno::EINVAL));
    };
    let parent = find(root, parent, Place::Directory)?;
    if let Some(target) = &plant.link {
        clear(&parent, name, DEPTH)?;
        symlinkat(target.as_str(), &parent, name)
            .map_err(|errno| Failure::new("symlink", &[target, &plant.path], errno))?;
    }
    if let Some(text) = &plant.file {
        clear(&parent, name, DEPTH)?;
        write(&parent, name, text)?;
    }
    plant.mode.as_deref().map_or(Ok(()), |mode| set_mode(&parent, name, mode))
}

fn write(parent: &OwnedFd, name: &str, text: &str) -> Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = nix::fcntl::openat(parent, name, flags, Mode::from_bits_truncate(0o644))
        .map_err(|errno| Failure::new("open", &[&name], errno))?;
    std::io::Write::write_all(&mut std::fs::File::from(file), text.as_bytes())
        .map_err(|error| Failure::from_io("write", &[&name], &error))
}

/// It was checked when the spec was read.
fn set_mode(parent: &OwnedFd, name: &str, mode: &str) -> Result<()> {
    let bits =
        u32::from_str_radix(mode, 8).map_err(|_| Failure::new("chmod", &[&name, &mode], Errno::EINVAL))?;
    fchmodat(parent.as_fd(), name, Mode::from_bits_truncate(bits), FchmodatFlags::FollowSymlink)
        .map_err(|errno| Failure::new("chmod", &[&name, &mode], errno))
}

/// Makes room: what is there goes, with all that is below it, and no link is followed.
fn clear(parent: &OwnedFd, name: &str, depth: usize) -> Result<()> {
    let failed = |call| move |errno| Failure::new(call, &[&name], errno);
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EISDIR | Errno::EPERM) if depth > 0 => {}
        Err(errno) => return Err(failed("unlink")(errno)),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = nix::fcntl::openat(parent, name, flags, Mode::empty()).map_err(failed("open"))?;
    for inner in
        names(&directory).map_err(|errno| failed("getdents")(Errno::from_raw(errno.raw_os_error())))?
    {
        clear(&directory, &inner, depth - 1)?;
    }
    unlinkat(parent, name, UnlinkatFlags::RemoveDir).map_err(failed("rmdir"))
}

fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn planted(plants: &[Plant], look: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root/etc/deep")).unwrap();
        fs::write(folder.path().join("root/etc/deep/file"), "old").unwrap();
        let root = fs::File::open(folder.path().join("root")).unwrap().into();
        plant(&root, plants).unwrap();
        look(folder.path());
    }

    fn one(path: &str, change: impl FnOnce(&mut Plant)) -> Plant {
        let mut plant = Plant { path: path.to_owned(), ..Plant::default() };
        change(&mut plant);
        plant
    }

    #[test]
    fn links_files_and_modes_take_the_place_of_what_was_there() {
        let plants = [
            one("/etc", |plant| plant.link = Some("/elsewhere".to_owned())),
            one("/a/b", |plant| {
                (plant.file, plant.mode) = (Some("text".to_owned()), Some("4711".to_owned()));
            }),
        ];
        planted(&plants, |folder| {
            assert_eq!(fs::read_link(folder.join("root/etc")).unwrap(), Path::new("/elsewhere"));
            let file = folder.join("root/a/b");
            assert_eq!(fs::read_to_string(&file).unwrap(), "text");
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o4711);
        });
    }

    /// A link that was planted before leads nowhere but into the root.
    #[test]
    fn nothing_is_planted_outside_of_the_root() {
        let out = |folder: &str| one("/data", |plant| plant.link = Some(folder.to_owned()));
        let below = one("/data/new", |plant| plant.file = Some(String::new()));
        planted(&[out("../../../etc"), below.clone()], |folder| {
            assert!(folder.join("root/etc/new").is_file());
        });
        planted(&[out("/etc/deep"), below], |folder| assert!(folder.join("root/etc/deep/new").is_file()));
    }
}
