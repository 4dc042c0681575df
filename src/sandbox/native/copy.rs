//! Copies of whole trees, with their modes and owners. Extended attributes stay behind.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, mknod};

/// What becomes of what is copied.
#[derive(Clone, Copy)]
pub(super) enum Manner<'a> {
    /// Everything belongs to others: what these ids become.
    Shifted(&'a dyn Fn(u32) -> u32),
    /// As it is, as far as whoever copies may: in a user namespace there are no devices to be made, and what belongs to an id that is not mapped
    /// there (EINVAL), or that only a more privileged process could give it to (EPERM), is the copier's.
    AsFarAsMayBe,
}

/// Copies what is in one directory into another, which becomes like it.
pub(super) fn copy_into(from: &Path, to: &Path, manner: Manner<'_>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_into(&source, &target, manner)?;
        } else if copy_one(&source, &target, manner)? {
            own(&source, &target, manner)?;
        }
    }
    own(from, to, manner)
}

/// Whether there is a copy now.
fn copy_one(from: &Path, to: &Path, manner: Manner<'_>) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        return symlink(fs::read_link(from)?, to).map(|()| true);
    }
    if metadata.is_file() {
        return fs::copy(from, to).map(|_| true);
    }
    let kind = SFlag::from_bits_truncate(metadata.mode() & libc::S_IFMT);
    match (mknod(to, kind, Mode::from_bits_truncate(0o600), metadata.rdev()), manner) {
        (Err(Errno::EPERM), Manner::AsFarAsMayBe) => Ok(false),
        (made, _) => made.map(|()| true).map_err(io::Error::from),
    }
}

/// The owner first: chown(2) clears the setuid bit.
fn own(from: &Path, to: &Path, manner: Manner<'_>) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    let (uid, gid) = (metadata.uid(), metadata.gid());
    match manner {
        Manner::Shifted(ids) => lchown(to, Some(ids(uid)), Some(ids(gid)))?,
        Manner::AsFarAsMayBe => give(to, uid, gid)?,
    }
    if metadata.is_symlink() {
        return Ok(());
    }
    fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))
}

fn give(to: &Path, uid: u32, gid: u32) -> io::Result<()> {
    match lchown(to, Some(uid), Some(gid)) {
        Err(error) if [libc::EINVAL, libc::EPERM].contains(&error.raw_os_error().unwrap_or(0)) => Ok(()),
        given => given,
    }
}
