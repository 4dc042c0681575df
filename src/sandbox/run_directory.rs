//! The directory of a run: where sandboxes are staged, each in its own mount namespace. To the host it stays empty.
//!
//! Its name carries the run's tag, and a lock on it says that the run is alive: a later run sweeps what a killed one left.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::fcntl::OFlag;
use nix::mount::{MntFlags, umount2};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use nix::unistd::Uid;

use super::bait;
use super::native::cgroup;
use super::nursery::kill_of_run;
use crate::image::delete_tree;
use crate::sys::{self, Failure, Result};

/// The directory of a run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    tag: String,
    // Both are held as long as the nursery, which has copies, or the runner lives.
    _lock: File,
    _sign: UnixDatagram,
    /// Whether runtimes were used that leave more behind than native sandboxes do.
    runtimes: AtomicBool,
    /// How many scratch folders there were.
    scratches: AtomicUsize,
    /// How many VMs there were.
    machines: AtomicUsize,
}

const STAGE: &str = "stage";
const BAIT: &str = "bait";
const PEER: &str = "peer-";
const SCRATCH: &str = "scratch-";
const MACHINE: &str = "vm-";

impl RunDirectory {
    /// Makes the directory, and sweeps those of runs that have died.
    pub fn create() -> Result<Self> {
        sweep();
        loop {
            let tag = format!("{}-{}", std::process::id(), &sys::random_word()?[..8]);
            let path = parent().join(directory_name(&tag));
            // What is in it is the runner's alone; but a sandbox's root that is another user to the host has to get through to its own.
            DirBuilder::new()
                .mode(0o711)
                .create(&path)
                .map_err(|error| Failure::from_io("mkdir", &[&path], &error))?;
            match set_up(&path) {
                // Between the two calls another run may have taken it for a dead one's.
                Ok(None) => {}
                Ok(Some(lock)) => {
                    let sign = put_up_sign(&tag).inspect_err(|_| remove(&path, &tag))?;
                    return Ok(Self {
                        path,
                        tag,
                        _lock: lock,
                        _sign: sign,
                        runtimes: AtomicBool::new(false),
                        scratches: AtomicUsize::new(0),
                        machines: AtomicUsize::new(0),
                    });
                }
                Err(failure) => {
                    remove(&path, &tag);
                    return Err(failure);
                }
            }
        }
    }

    /// The tag that everything of this run carries.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// An empty directory, on which each sandbox mounts its stage in its own mount namespace.
    pub fn stage(&self) -> PathBuf {
        self.path.join(STAGE)
    }

    /// What the host's bait is called, whatever it is.
    pub fn bait_name(&self) -> String {
        bait_name(&self.tag)
    }

    /// A file that only the host has; it is made when it is first needed.
    pub fn bait_file(&self) -> PathBuf {
        self.path.join(BAIT)
    }

    /// Makes the file, if it is not there yet.
    pub(super) fn lay_file(&self) -> Result<()> {
        let path = self.bait_file();
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        opened.map(drop).map_err(|error| Failure::from_io("open", &[&path], &error))
    }

    /// A place for the host's peer of a sandbox's root.
    pub(super) fn peer(&self, pid: i32) -> PathBuf {
        self.path.join(format!("{PEER}{pid}"))
    }

    /// A place for a sandbox's scratch folder: each time another, where nothing is yet.
    pub fn scratch(&self) -> PathBuf {
        self.path.join(format!("{SCRATCH}{}", self.scratches.fetch_add(1, Ordering::Relaxed)))
    }

    /// A new folder for a VM's sockets.
    pub fn machine(&self) -> Result<PathBuf> {
        let path = self.path.join(format!("{MACHINE}{}", self.machines.fetch_add(1, Ordering::Relaxed)));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::from_io("mkdir", &[&path], &error))?;
        Ok(path)
    }

    /// Notes that sandboxes were made by other runtimes than the native one.
    pub(super) fn runtimes_were_used(&self) {
        self.runtimes.store(true, Ordering::Relaxed);
    }

    /// Whether that was so.
    pub(super) fn used_runtimes(&self) -> bool {
        self.runtimes.load(Ordering::Relaxed)
    }

    /// Removes it, with the cgroups of the run. It holds nothing but what was made here; anything else stays, rather than be
    /// deleted unseen.
    pub fn remove(&self) {
        cgroup::sweep(&self.tag);
        if self.used_runtimes() {
            cgroup::sweep_hierarchies(&self.tag);
        }
        remove(&self.path, &self.tag);
    }
}

/// Unmounts what a sandbox's root was the peer of, with what was mounted on it, and removes the empty directory.
pub(super) fn take_down(peer: &Path) {
    // It fails where nothing was mounted.
    let _ = umount2(peer, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    let _ = fs::remove_dir(peer);
}

fn bait_name(tag: &str) -> String {
    format!("airtight-bait-{tag}")
}

fn parent() -> PathBuf {
    std::env::temp_dir()
}

fn directory_name(tag: &str) -> String {
    format!("airtight-{}-{tag}", Uid::effective())
}

/// Takes the new directory. `None`: it is there no longer.
fn set_up(path: &Path) -> Result<Option<File>> {
    let Some(lock) = lock(path)? else { return Ok(None) };
    let stage = path.join(STAGE);
    fs::create_dir(&stage).map_err(|error| Failure::from_io("mkdir", &[&stage], &error))?;
    Ok(Some(lock))
}

/// Locks the directory itself. `None`: it is there no longer.
fn lock(path: &Path) -> Result<Option<File>> {
    let locked = open(path).and_then(|file| file.lock().map(|()| file));
    let same =
        locked.and_then(|file| Ok((open(path)?.metadata()?.ino() == file.metadata()?.ino()).then_some(file)));
    match same {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        same => same.map_err(|error| Failure::from_io("flock", &[&path], &error)),
    }
}

/// Never through a symbolic link: anyone can put one into /tmp.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

fn remove(path: &Path, tag: &str) {
    let file = path.join(BAIT);
    // It is there if there is bait of any kind.
    if file.exists() {
        bait::remove(&bait_name(tag));
        let _ = fs::remove_file(file);
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PEER.as_bytes()) {
            take_down(&entry.path());
        }
        let name = entry.file_name();
        if [SCRATCH, MACHINE].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
            let _ = delete_tree(&entry.path());
        }
    }
    // Each call fails only where something is there that is not ours.
    let _ = fs::remove_dir(path.join(STAGE));
    let _ = fs::remove_dir(path);
}

/// Removes what runs left that were killed together with their nursery: their locks are free.
fn sweep() {
    let prefix = directory_name("");
    for entry in fs::read_dir(parent()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(tag) = name.strip_prefix(&prefix) else { continue };
        // The lock is held until it is gone, so that no two sweep the same.
        let Some(_lock) = lock_of_dead(&entry.path()) else { continue };
        kill_of_run(&name, tag);
        cgroup::sweep(tag);
        cgroup::sweep_hierarchies(tag);
        remove(&entry.path(), tag);
    }
}

/// Whether the run of this tag goes on, wherever its directory is.
pub(super) fn is_alive(tag: &str) -> bool {
    put_up_sign(tag).is_err_and(|failure| failure.errno == libc::EADDRINUSE)
}

/// An address that the kernel gives to one socket of a network namespace, and frees with its last descriptor (unix(7), abstract). Whether
/// it can be had says whether the run lives, to those too that look for temporary files elsewhere.
fn put_up_sign(tag: &str) -> Result<UnixDatagram> {
    let name = format!("airtight-{tag}");
    let failed = |call| move |errno| Failure::new(call, &[], errno);
    let sign = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    let sign = sign.map_err(failed("socket"))?;
    let address = UnixAddr::new_abstract(name.as_bytes()).map_err(failed("bind"))?;
    bind(sign.as_raw_fd(), &address).map_err(failed("bind"))?;
    let sign = UnixDatagram::from(sign);
    // Nobody is to send it anything.
    sign.shutdown(Shutdown::Both).map_err(|error| Failure::from_io("shutdown", &[&name], &error))?;
    Ok(sign)
}

/// The lock of a directory of ours that nobody else holds.
fn lock_of_dead(path: &Path) -> Option<File> {
    let file = open(path).ok()?;
    let ours = file.metadata().ok()?.uid() == Uid::effective().as_raw();
    (ours && file.try_lock().is_ok()).then_some(file)
}
