//! The directory of a run: where sandboxes are staged, each in its own mount namespace. To the host it stays empty.
//!
//! Its name carries the run's tag, and its lock says that the run is alive: a later run sweeps what a killed one left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::native::cgroup;
use crate::sys::{self, Failure, Result};

/// The directory of a run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    tag: String,
    // Held as long as the nursery, which has a copy, or the runner lives.
    _lock: File,
}

const STAGE: &str = "stage";
const LOCK: &str = "lock";

impl RunDirectory {
    /// Makes the directory, and sweeps those of runs that have died.
    pub fn create() -> Result<Self> {
        sweep();
        let tag = format!("{}-{}", std::process::id(), &sys::random_word()?[..8]);
        let path = parent().join(directory_name(&tag));
        create_dir(&path)?;
        create_dir(&path.join(STAGE))?;
        let lock = take_lock(&path).map_err(|error| Failure::from_io("flock", &[&path], &error))?;
        Ok(Self { path, tag, _lock: lock })
    }

    /// The tag that everything of this run carries.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// An empty directory, on which each sandbox mounts its stage in its own mount namespace.
    pub fn stage(&self) -> PathBuf {
        self.path.join(STAGE)
    }

    /// Removes it. It holds nothing but what was made here; anything else stays, rather than be deleted unseen.
    pub fn remove(&self) {
        remove(&self.path);
    }
}

fn parent() -> PathBuf {
    std::env::temp_dir()
}

fn directory_name(tag: &str) -> String {
    format!("airtight-{}-{tag}", Uid::effective())
}

fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir(path).map_err(|error| Failure::from_io("mkdir", &[&path], &error))
}

/// The lock has its name only once it is held, so that no other run finds it free.
fn take_lock(directory: &Path) -> std::io::Result<File> {
    let unnamed = directory.join("unlocked");
    let lock = File::create(&unnamed)?;
    lock.lock()?;
    fs::rename(&unnamed, directory.join(LOCK))?;
    Ok(lock)
}

fn remove(path: &Path) {
    // Each call fails only where something is there that is not ours.
    let _ = fs::remove_dir(path.join(STAGE));
    let _ = fs::remove_file(path.join(LOCK));
    let _ = fs::remove_dir(path);
}

/// Removes what runs left that were killed together with their nursery: their locks are free.
fn sweep() {
    let prefix = directory_name("");
    let mut left = false;
    for entry in fs::read_dir(parent()).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(&prefix);
        if ours && is_dead(&entry.path()) {
            remove(&entry.path());
            left = true;
        }
    }
    if left {
        cgroup::sweep(|tag| parent().join(directory_name(tag)).exists());
    }
}

fn is_dead(path: &Path) -> bool {
    // Without a lock file it is being made, or is not ours.
    File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}
