//! The sandbox's root: an overlay on the image with a tmpfs above it, or a copy where there is no overlay, put together in the sandbox's own mount
//! namespace.
//!
//! Nothing of it is seen by the host, and nothing outlives the namespace.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, pivot_root};

use super::blueprint::{Identity, MountPlan, RootPlan};
use super::copy::{Manner, copy_into};
use super::options::MountOptions;
use crate::fact::own_mount_points;
use crate::sys::{self, Failure, Result, settled};

/// The place where the root is put together: a tmpfs with the image below and the root to be.
const LOWER: &str = "lower";
const UPPER: &str = "upper";
const WORK: &str = "work";
pub(in crate::sandbox) const ROOT: &str = "root";

/// How much a sandbox can write to its root before that is full (ENOSPC): it is the host's memory that it fills.
const ROOT_SIZE: &str = "512m";
/// How many files it can make there, or change: each takes about a KiB of the kernel's memory.
const ROOT_FILES: u32 = 100_000;

/// Cuts the mount namespace off from the host's, and lays out the stage on a tmpfs of its own. Afterwards the stage is the
/// working directory. This needs the runner's own identity, which alone may be able to reach the stage.
pub(in crate::sandbox) fn raise_stage(stage: &Path, identity: &Identity) -> Result<()> {
    // A mount made here must not reach the host: on most systems `/` is shared (mount_namespaces(7)).
    mount_at(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, "")?;
    // The ids are those of the sandbox's own root, which may be other than the one that mounts.
    let options = format!("mode=0755,{},size={ROOT_SIZE},nr_inodes={ROOT_FILES}", identity.owner());
    mount_at(Some("tmpfs"), stage, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, &options)?;
    chdir(stage).map_err(|errno| Failure::new("chdir", &[&stage], errno))
}

/// Binds the image at its place on the stage, by its path.
pub(in crate::sandbox) fn lay_image(image: &Path) -> Result<()> {
    make_directory(LOWER)?;
    mount_at(image.to_str(), Path::new(LOWER), None, MsFlags::MS_BIND, "")
}

/// The same with a detached mount of the image, whose ids are mapped. Only an id that is mapped can make the directory
/// (EOVERFLOW otherwise), and only the runner's own could reach the path: so this comes after the change of identity.
pub(in crate::sandbox) fn lay_mapped_image(image: &OwnedFd) -> Result<()> {
    make_directory(LOWER)?;
    sys::attach(image.as_fd(), Path::new(LOWER))
}

/// Lays the overlay over the image and gives a descriptor of the new root. The overlay's source, which means nothing to the
/// kernel, is the name of the run's directory: by it a later run finds what this one could not end.
pub(in crate::sandbox) fn raise_root(stage: &Path, in_user_namespace: bool) -> Result<OwnedFd> {
    for directory in [UPPER, WORK, ROOT] {
        make_directory(directory)?;
    }
    // In a user namespace the overlay keeps its marks in user.overlay.*: trusted.* is for the host's root alone (5.11).
    let marks = if in_user_namespace { ",userxattr" } else { "" };
    let layers = format!("lowerdir={LOWER},upperdir={UPPER},workdir={WORK}{marks}");
    let run = stage.parent().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str).unwrap_or("overlay");
    match mount_at(Some(run), Path::new(ROOT), Some("overlay"), MsFlags::empty(), &layers) {
        Err(failure) if [libc::EPERM, libc::ENODEV].contains(&failure.errno) => copy_image(run)?,
        laid => laid?,
    }
    let root = nix::fcntl::open(ROOT, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
    root.map_err(|errno| Failure::new("open", &[&ROOT], errno))
}

/// The same by a copy, which takes longer: there is no overlay in a user namespace before Linux 5.11 (`FS_USERNS_MOUNT` in fs/overlayfs/super.c),
/// and none at all in a kernel that is built without.
fn copy_image(run: &str) -> Result<()> {
    let options = format!("mode=0755,size={ROOT_SIZE},nr_inodes={ROOT_FILES}");
    mount_at(Some(run), Path::new(ROOT), Some("tmpfs"), MsFlags::empty(), &options)?;
    copy_into(Path::new(LOWER), Path::new(ROOT), Manner::AsFarAsMayBe)
        .map_err(|error| Failure::from_io("copy", &[&LOWER, &ROOT], &error))
}

/// Makes the new root the process's, and nothing else: the mounts around it stay, and with `CAP_SYS_CHROOT` a process gets back to them
/// by a second chroot(2), below which its working directory is not (chroot(2), NOTES).
pub(super) fn enter_by_chroot(root: &OwnedFd) -> Result<()> {
    nix::unistd::fchdir(root).map_err(|errno| Failure::new("fchdir", &[&ROOT], errno))?;
    nix::unistd::chroot(".").map_err(|errno| Failure::new("chroot", &[&"."], errno))?;
    chdir("/").map_err(|errno| Failure::new("chdir", &[&"/"], errno))
}

/// Makes the new root the root, and lets go of the old one.
pub(super) fn enter(root: &OwnedFd) -> Result<()> {
    nix::unistd::fchdir(root).map_err(|errno| Failure::new("fchdir", &[&ROOT], errno))?;
    // With both names the same, the old root comes to lie on top of the new one, and no directory is needed for it
    // (pivot_root(2), NOTES).
    pivot_root(".", ".").map_err(|errno| Failure::new("pivot_root", &[&".", &"."], errno))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(|errno| Failure::new("umount2", &[&"."], errno))?;
    chdir("/").map_err(|errno| Failure::new("chdir", &[&"/"], errno))
}

/// Gives the root's own mount its flags; mounts on it stay as they are.
pub(super) fn seal(root: &OwnedFd, flags: MsFlags) -> Result<()> {
    if flags.is_empty() { Ok(()) } else { remount(&by_descriptor(root.as_fd()), flags) }
}

/// The flags that the plan asks for.
pub(super) fn flags(plan: &RootPlan) -> MsFlags {
    let mut flags = MsFlags::empty();
    flags.set(MsFlags::MS_RDONLY, plan.read_only);
    flags.set(MsFlags::MS_NOSUID | MsFlags::MS_NODEV, plan.strict);
    flags
}

/// A further mount of the blueprint, with these of its flags, whose source is already open if it is a bind mount.
pub(super) fn mount_extra(
    root: &OwnedFd,
    plan: &MountPlan,
    source: Option<&OwnedFd>,
    flags: MsFlags,
) -> Result<()> {
    let options = MountOptions::parse(&plan.options);
    match source {
        Some(source) => {
            let place = if is_directory(source)? { Place::Directory } else { Place::File };
            bind_over(source, &find(root, &plan.target, place)?)?;
            if flags.is_empty() { Ok(()) } else { remount_found(root, &plan.target, flags) }
        }
        None => mount_new(
            root,
            plan.kind.as_deref().unwrap_or("tmpfs"),
            &plan.target,
            flags | (options.flags - MountOptions::per_mount()),
            &options.data,
        ),
    }
}

/// Mounts a new file system of type `kind` at `target` in the new root, whose directory is made if it is missing.
pub(super) fn mount_new(root: &OwnedFd, kind: &str, target: &str, flags: MsFlags, data: &str) -> Result<()> {
    mount_over(&find(root, target, Place::Directory)?, kind, target, flags, data)
}

/// The same at an open place, which is called `target` where it fails.
pub(super) fn mount_over(
    place: &OwnedFd,
    kind: &str,
    target: &str,
    flags: MsFlags,
    data: &str,
) -> Result<()> {
    mount_at(Some(kind), &by_descriptor(place.as_fd()), Some(kind), flags, data)
        .map_err(|failure| Failure { operands: vec![format!("{kind:?}"), format!("{target:?}")], ..failure })
}

/// Binds what one descriptor leads to over what another does.
pub(super) fn bind_over(source: &OwnedFd, place: &OwnedFd) -> Result<()> {
    let (source, place) = (by_descriptor(source.as_fd()), by_descriptor(place.as_fd()));
    mount_at(source.to_str(), &place, None, MsFlags::MS_BIND | MsFlags::MS_REC, "")
}

/// Binds a path of the host at `target` in the new root.
pub(in crate::sandbox) fn bind_host(
    root: &OwnedFd,
    source: &str,
    target: &str,
    place: Place,
    flags: MsFlags,
) -> Result<()> {
    let found = find(root, target, place)?;
    mount_at(Some(source), &by_descriptor(found.as_fd()), None, MsFlags::MS_BIND | MsFlags::MS_REC, "")?;
    if flags.is_empty() { Ok(()) } else { remount_found(root, target, flags) }
}

/// Remounts what is mounted at `target` with further flags; those that it has stay, since the kernel locks them when the
/// mount came from a more privileged namespace (`mount_namespaces(7)`). What came along mounted below it gets them too: what is
/// bound read-only is read-only to its last directory.
pub(super) fn remount_found(root: &OwnedFd, target: &str, flags: MsFlags) -> Result<()> {
    let found = find(root, target, Place::Existing)?;
    remount(&by_descriptor(found.as_fd()), flags)?;
    if sys::restrict_tree(found.as_fd(), flags)? { Ok(()) } else { remount_below(&found, flags) }
}

/// The same for what is mounted below, one after another.
fn remount_below(found: &OwnedFd, flags: MsFlags) -> Result<()> {
    let link = by_descriptor(found.as_fd());
    let place = fs::read_link(&link).map_err(|error| Failure::from_io("readlink", &[&link], &error))?;
    let points = own_mount_points().map_err(|error| Failure::from_io("read", &[&"mountinfo"], &error))?;
    let below = |point: &&PathBuf| **point != place && point.starts_with(&place);
    points.iter().filter(below).try_for_each(|point| remount(point, flags))
}

/// What must be at a mount's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Place {
    /// A directory; it is made if it is missing.
    Directory,
    /// A file; it is made if it is missing.
    File,
    /// Whatever is there.
    Existing,
}

/// Opens a path of the new root as its processes will resolve it: a symlink of the image cannot lead to the host
/// (openat2(2), `RESOLVE_IN_ROOT`).
pub(in crate::sandbox) fn find(root: &OwnedFd, path: &str, place: Place) -> Result<OwnedFd> {
    find_relative(root, Path::new(path.trim_start_matches('/')), place)
}

fn find_relative(root: &OwnedFd, path: &Path, place: Place) -> Result<OwnedFd> {
    match open_within(root.as_fd(), path, OFlag::O_PATH) {
        Err(failure) if failure.errno == libc::ENOENT && place != Place::Existing => {
            make_place(root, path, place)
        }
        found => found,
    }
}

fn open_within(root: BorrowedFd<'_>, path: &Path, flags: OFlag) -> Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let opened = settled(&Errno::EAGAIN, || openat2(root, path, how));
    opened.map_err(|errno| Failure::new("openat2", &[&path], errno))
}

fn make_place(root: &OwnedFd, path: &Path, place: Place) -> Result<OwnedFd> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::new("open", &[&path], Errno::ENOENT));
    };
    let parent = (!parent.as_os_str().is_empty())
        .then(|| find_relative(root, parent, Place::Directory))
        .transpose()?;
    let parent = parent.as_ref().unwrap_or(root);
    if place == Place::File {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        return nix::fcntl::openat(parent, name, flags, Mode::from_bits_truncate(0o644))
            .map_err(|errno| Failure::new("open", &[&path], errno));
    }
    nix::sys::stat::mkdirat(parent, name, Mode::from_bits_truncate(0o755))
        .map_err(|errno| Failure::new("mkdir", &[&path], errno))?;
    open_within(parent.as_fd(), Path::new(name), OFlag::O_PATH | OFlag::O_DIRECTORY)
}

/// The path by which the kernel finds an open descriptor again. The host's `/proc` is still there while the root is put
/// together.
pub(super) fn by_descriptor(fd: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// Whether an open descriptor is a directory.
pub(super) fn is_directory(fd: &OwnedFd) -> Result<bool> {
    let stat = nix::sys::stat::fstat(fd).map_err(|errno| Failure::new("fstat", &[], errno))?;
    Ok(stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// Flags that a remount must repeat, as statvfs(3) and mount(2) number them alike.
fn remount(target: &Path, flags: MsFlags) -> Result<()> {
    let kept =
        nix::sys::statvfs::statvfs(target).map_err(|errno| Failure::new("statvfs", &[&target], errno))?;
    let kept = MsFlags::from_bits_truncate(kept.flags().bits()) & MountOptions::per_mount();
    mount_at(None, target, None, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | kept | flags, "")
}

fn mount_at(
    source: Option<&str>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    data: &str,
) -> Result<()> {
    let data = (!data.is_empty()).then_some(data);
    mount(source, target, kind, flags, data)
        .map_err(|errno| Failure::new("mount", &[&source.unwrap_or_default(), &target, &flags], errno))
}

fn make_directory(path: &str) -> Result<()> {
    fs::create_dir(path).map_err(|error| Failure::from_io("mkdir", &[&path], &error))
}
