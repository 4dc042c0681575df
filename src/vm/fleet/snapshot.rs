//! Saved VMs, in the cache: each a folder with the VM's state, the initramfs that it was booted with, and what is known of it.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::image::{cache_folder, hex};
use crate::vm::wire::KernelFacts;

/// How many are kept: those that were used last. Each takes some hundred MiB.
const KEPT: usize = 16;

/// What is known of a saved VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct About {
    /// What its kernel is like.
    pub(super) facts: KernelFacts,
    /// How many records the guest had written.
    pub(super) spoken: u32,
    /// What was booted: the kernel unpacked, or as it is packed.
    pub(super) kernel: PathBuf,
    /// How large the state is: one that was cut is none.
    pub(super) size: u64,
    /// What the kernel said while it booted.
    pub(super) console: String,
}

/// The place of a saved VM.
#[derive(Debug)]
pub(super) struct Snapshot {
    folder: PathBuf,
    /// Held as long as it is used, so that nobody removes it.
    lock: File,
}

impl Snapshot {
    /// The place of this key. Whoever else wants to make the same waits.
    pub(super) fn open(key: &str) -> Result<Self, String> {
        let all = folder()?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&all).map_err(|error| failed(&all, &error))?;
        prune(&all, key);
        let folder = all.join(key);
        builder.create(&folder).map_err(|error| failed(&folder, &error))?;
        let path = folder.join("lock");
        let lock =
            File::options().create(true).append(true).open(&path).map_err(|error| failed(&path, &error))?;
        lock.lock().map_err(|error| failed(&path, &error))?;
        // It is the time of its last use.
        let _ = lock.set_modified(SystemTime::now());
        Ok(Self { folder, lock })
    }

    /// From now on others may use it too.
    pub(super) fn share(&self) {
        // Nobody waits for this one but who makes one.
        let _ = self.lock.lock_shared();
    }

    /// What it was booted with.
    pub(super) fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs")
    }

    /// The VM's state.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The VM's memory.
    pub(super) fn memory(&self) -> PathBuf {
        self.folder.join("memory")
    }

    /// What is known of it, if it is there as a whole.
    pub(super) fn about(&self) -> Option<About> {
        let about: About = serde_json::from_slice(&fs::read(self.folder.join("about.json")).ok()?).ok()?;
        let whole = fs::metadata(self.state()).is_ok_and(|state| state.len() == about.size);
        (whole && self.memory().is_file() && self.initramfs().is_file()).then_some(about)
    }

    /// It is there as a whole.
    pub(super) fn finish(&self, about: &About) -> Result<(), String> {
        let path = self.folder.join("about.json");
        let text = serde_json::to_vec(about).unwrap_or_default();
        let unfinished = self.folder.join("about.new");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|error| failed(&path, &error))
    }

    /// It is not to be used again.
    pub(super) fn spoil(&self) {
        let _ = fs::remove_file(self.folder.join("about.json"));
    }

    /// Nothing has come of it: what there is takes as much room as a VM has memory.
    pub(super) fn abandon(&self) {
        self.spoil();
        for path in [self.state(), self.memory(), self.initramfs()] {
            let _ = fs::remove_file(path);
        }
    }
}

fn folder() -> Result<PathBuf, String> {
    cache_folder().map(|cache| cache.join("vm")).map_err(|error| error.to_string())
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Removes all of them, but those that are used just now.
pub(crate) fn remove_all() -> Result<usize, String> {
    let all = folder()?;
    Ok(by_age(&all).into_iter().filter(|folder| remove(folder)).count())
}

/// Removes those that were not used for longest.
fn prune(all: &Path, key: &str) {
    let mut folders = by_age(all);
    folders.retain(|folder| !folder.ends_with(key));
    let over = (folders.len() + 1).saturating_sub(KEPT);
    for folder in folders.iter().take(over) {
        // Somebody may be using it.
        let _ = remove(folder);
    }
}

/// The folders, longest unused first.
fn by_age(all: &Path) -> Vec<PathBuf> {
    let used = |folder: &PathBuf| fs::metadata(folder.join("lock")).and_then(|lock| lock.modified()).ok();
    let mut folders: Vec<PathBuf> =
        fs::read_dir(all).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(used);
    folders
}

/// Nobody uses it who holds no lock.
fn remove(folder: &Path) -> bool {
    let lock = File::open(folder.join("lock")).ok();
    let free = lock.as_ref().is_none_or(|lock| lock.try_lock().is_ok());
    free && fs::remove_dir_all(folder).is_ok()
}

/// By what a saved VM is known: whatever it was made of.
#[derive(Debug, Default)]
pub(super) struct Key(Sha256);

impl Key {
    /// Adds a word.
    pub(super) fn word(&mut self, word: &str) -> &mut Self {
        self.0.update((word.len() as u64).to_le_bytes());
        self.0.update(word.as_bytes());
        self
    }

    /// Adds a file, by what changes with it.
    pub(super) fn file(&mut self, path: &Path) -> &mut Self {
        let stamp = fs::metadata(path)
            .map(|meta| (meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()));
        self.word(&format!("{} {:?}", path.display(), stamp.ok()))
    }

    /// Adds bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.word(&hex(Sha256::new_with_prefix(bytes)))
    }

    /// The key.
    pub(super) fn finish(&self) -> String {
        hex(self.0.clone()).chars().take(32).collect()
    }
}
