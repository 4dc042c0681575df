//! The process that becomes a runtime's own command line. It prepares the root that the runtime is given, in a mount
//! namespace of its own: what the runtime does to it is gone with the processes.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, chown, execvpe, setsid};

use super::native::plant::plant;
use super::native::poison::pour_all;
use super::native::root::{Place, ROOT, bind_host, find, lay_image, raise_root, raise_stage};
use super::native::{IdMap, Identity, c_strings, show_root, wait_for_go};
use super::nursery::{HostView, Launch, MARK, NAME, Part, Report};
use super::run_directory::RunDirectory;
use crate::sys::{self, Failure, Result};

/// Where a runtime keeps what it knows of its sandboxes, on the stage.
pub(super) const STATE: &str = "state";

/// How ids are mapped in the launcher's own user namespace, if it needs one: only there may an ordinary user mount anything. Everybody is who
/// he is outside, so that a runtime that is then executed has the rights of an ordinary user, which are none.
pub(super) fn id_map(launch: &Launch) -> IdMap {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if launch.root.is_none() || uid.is_root() {
        return IdMap::None;
    }
    IdMap::Own { uid: uid.as_raw(), gid: gid.as_raw() }
}

/// Prepares and executes; what goes wrong is reported.
pub(super) fn launch(launch: &Launch, run: &RunDirectory, fds: Vec<OwnedFd>) -> ! {
    let mut fds = fds.into_iter();
    let (Some(report), Some(line)) = (fds.next(), fds.next()) else { sys::exit_now(125) };
    let prepared = prepare(launch, &line, &report).and_then(|()| poison(run, fds.next()));
    let prepared = prepared.and_then(|()| Report::Ready.send(report.as_fd(), &[]));
    let failure = match prepared {
        Ok(()) => execute(launch, run.tag()),
        Err(failure) => failure,
    };
    // If nobody listens any more there is nobody to tell.
    let _ = Report::Failed(failure).send(report.as_fd(), &[]);
    sys::exit_now(125)
}

fn prepare(launch: &Launch, line: &OwnedFd, report: &OwnedFd) -> Result<()> {
    drop(wait_for_go(line)?);
    if !launch.poisoned {
        // A session of its own: the terminal's signals are for the runner.
        setsid().map_err(|errno| Failure::new("setsid", &[], errno))?;
    }
    launch.beside.map_or(Ok(()), stand_beside)?;
    let Some(root) = &launch.root else { return Ok(()) };
    let map = id_map(launch);
    let in_user_namespace = map != IdMap::None;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| Failure::new("unshare", &[&"CLONE_NEWNS"], errno))?;
    raise_stage(&root.stage, &Identity { map, ..Identity::default() })?;
    lay_image(&root.image)?;
    let rootfs = raise_root(&root.stage, in_user_namespace)?;
    root.owner.map_or(Ok(()), give_root)?;
    // The agent's files are the host's own, and what runs as root in the sandbox could write to them.
    for (files, flags) in [(&root.agent, MsFlags::MS_RDONLY), (&root.binds, MsFlags::empty())] {
        for (source, target) in files {
            bind_host(&rootfs, &source.to_string_lossy(), target, place_of(source), flags)?;
        }
    }
    for path in &root.places {
        let place = if path.ends_with('/') { Place::Directory } else { Place::File };
        find(&rootfs, path.trim_end_matches('/'), place)?;
    }
    plant(&rootfs, &root.planted)?;
    fs::create_dir(STATE).map_err(|error| Failure::from_io("mkdir", &[&STATE], &error))?;
    root.files.iter().try_for_each(|(path, text)| write(path, text))?;
    dress(&root.host, in_user_namespace)?;
    let rootfs = root.stage.join(ROOT);
    let found = fs::metadata(&rootfs).map_err(|error| Failure::from_io("stat", &[&rootfs], &error))?;
    Report::Root { device: found.dev() }.send(report.as_fd(), &[])?;
    show_root(line, &rootfs)
}

/// Goes into the mount namespace of another launcher, and so to the root that it prepared; first into the user namespace that this belongs
/// to, if it has one of its own. That process is the nursery's own, and has not been waited for.
fn stand_beside(pid: i32) -> Result<()> {
    let open = |name: &str| {
        let path = format!("/proc/{pid}/ns/{name}");
        File::open(&path).map_err(|error| Failure::from_io("open", &[&path], &error))
    };
    let join = |namespace: File, flags: CloneFlags| {
        setns(namespace, flags).map_err(|errno| Failure::new("setns", &[&pid, &flags], errno))
    };
    // Once the first is joined the other process is no longer below this one, and may be hidden from it.
    let (user, mount) = (open("user")?, open("mnt")?);
    if !Uid::effective().is_root() {
        join(user, CloneFlags::CLONE_NEWUSER)?;
    }
    join(mount, CloneFlags::CLONE_NEWNS)
}

/// The stage is the working directory. What the overlay makes there by itself is its own root's upper layer.
fn give_root(owner: u32) -> Result<()> {
    chown(ROOT, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)))
        .map_err(|errno| Failure::new("chown", &[&ROOT, &owner], errno))
}

/// The stage is the working directory.
fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| Failure::from_io("mkdir", &[&parent], &error))?;
    }
    fs::write(path, text).map_err(|error| Failure::from_io("write", &[&path], &error))
}

/// Makes the host look to the runtime as it must.
fn dress(host: &HostView, in_user_namespace: bool) -> Result<()> {
    for path in &host.unmounted {
        // It fails where nothing is mounted; and in a user namespace always, since what was mounted outside is locked there
        // (mount_namespaces(7)).
        let unmounted = umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
        if unmounted.is_err() && in_user_namespace && path.is_dir() {
            hide(path)?;
        }
    }
    for (number, (path, text)) in host.texts.iter().enumerate() {
        let source = PathBuf::from(format!("host-{number}"));
        write(&source, text)?;
        mount(Some(&source), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|errno| Failure::new("mount", &[&source, path, &MsFlags::MS_BIND], errno))?;
    }
    Ok(())
}

fn hide(path: &Path) -> Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), path, Some("tmpfs"), flags, None::<&str>)
        .map_err(|errno| Failure::new("mount", &[&"tmpfs", &path, &flags], errno))
}

/// Takes on all that must not be inherited, if there is a terminal for it: to keep it from the sandbox is for the runtime.
fn poison(run: &RunDirectory, terminal: Option<OwnedFd>) -> Result<()> {
    terminal.map_or(Ok(()), |terminal| pour_all(run, terminal.as_fd()))
}

fn place_of(source: &Path) -> Place {
    if source.is_dir() { Place::Directory } else { Place::File }
}

/// Returns only when it could not.
fn execute(launch: &Launch, tag: &str) -> Failure {
    let program = launch.argv.first().cloned().unwrap_or_default();
    match c_strings(&launch.argv) {
        Ok(words) if !words.is_empty() => match execvpe(&words[0], &words, &environment(tag, &launch.part)) {
            Err(errno) => Failure::new("execve", &[&program], errno),
        },
        _ => Failure::new("execve", &[&program], Errno::EINVAL),
    }
}

/// The runner's own, with the run's mark: by it a later run finds what this one could not end. And with the sandbox's name, by which
/// this one finds what a runtime leaves of it.
fn environment(tag: &str, part: &Part) -> Vec<CString> {
    let own = std::env::vars_os().filter(|(name, _)| name != MARK && name != NAME);
    let entries = own.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    entries
        .chain([format!("{MARK}={tag}").into_bytes()])
        .chain(part.name().map(|name| format!("{NAME}={name}").into_bytes()))
        .filter_map(|entry| CString::new(entry).ok())
        .collect()
}
