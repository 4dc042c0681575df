//! Where images are made: a folder of its own for each, a lock that says its maker is alive, and one rename at the end.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::image::delete;
use crate::image::error::{Result, io};

/// An image in the making. Dropped before it is finished, it deletes what there is of it.
#[derive(Debug)]
pub(super) struct Bench {
    /// The folder that becomes the image.
    pub(super) folder: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Bench {
    /// Makes an empty one in `building`.
    pub(super) fn new(building: &Path) -> Result<Self> {
        loop {
            let id = format!(
                "{}-{:016x}",
                std::process::id(),
                std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
            );
            let lock_path = building.join(format!("{id}.lock"));
            let lock = lock(&lock_path)?;
            // A sweeper may have taken the file between its making and its locking; then it is gone, and we begin again.
            if same_file(&lock, &lock_path) {
                let folder = building.join(id);
                make_private(&folder)?;
                return Ok(Self { folder, lock_path, _lock: lock });
            }
        }
    }

    /// Renames the image into place. Where a parallel run was faster, its image stays and this one is deleted.
    pub(super) fn finish(self, place: &Path) -> Result<()> {
        match std::fs::rename(&self.folder, place) {
            Err(_) if place.is_dir() => Ok(()),
            done => done.map_err(io("rename", place)),
        }
    }
}

impl Drop for Bench {
    /// What cannot be deleted stays for the next sweep; nobody is left to hear of it.
    fn drop(&mut self) {
        if delete::tree(&self.folder).is_ok() {
            std::fs::remove_file(&self.lock_path).ok();
        }
    }
}

/// Deletes what makers left that were killed: the folders whose lock nobody holds. Folders without a lock file are not ours.
pub(super) fn sweep(building: &Path) -> Result<()> {
    for entry in std::fs::read_dir(building).map_err(io("readdir", building))? {
        let path = entry.map_err(io("readdir", building))?.path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            sweep_one(&path)?;
        }
    }
    Ok(())
}

fn sweep_one(lock_path: &Path) -> Result<()> {
    let Ok(file) = File::open(lock_path) else { return Ok(()) };
    match file.try_lock() {
        Ok(()) if same_file(&file, lock_path) => {
            delete::tree(&lock_path.with_extension(""))?;
            std::fs::remove_file(lock_path).map_err(io("unlink", lock_path))
        }
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(io("flock", lock_path)(error)),
    }
}

/// Opens the file, makes it if need be, and waits until it is ours alone. The kernel lets go of it when we die (flock(2)).
pub(super) fn lock(path: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(path).map_err(io("open", path))?;
    file.lock().map_err(io("flock", path))?;
    Ok(file)
}

fn same_file(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

/// A folder that only its owner may enter: an image holds set-user-ID programs and devices, which are nobody else's to use.
pub(super) fn make_private(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("mkdir", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_sweep_takes_what_the_dead_left_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let building = place.path();
        std::fs::create_dir_all(building.join("dead/rootfs")).unwrap();
        std::fs::write(building.join("dead.lock"), "").unwrap();
        std::fs::create_dir(building.join("foreign")).unwrap();
        let alive = Bench::new(building).unwrap();
        sweep(building).unwrap();
        assert!(!building.join("dead").exists() && !building.join("dead.lock").exists());
        assert!(building.join("foreign").exists() && alive.folder.exists());
    }

    #[test]
    fn a_bench_that_is_dropped_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let bench = Bench::new(place.path()).unwrap();
        std::fs::create_dir(bench.folder.join("rootfs")).unwrap();
        drop(bench);
        assert_eq!(names(place.path()), 0);
    }

    #[test]
    fn the_second_to_finish_gives_way() {
        let place = tempfile::tempdir().unwrap();
        let building = place.path().join("building");
        std::fs::create_dir(&building).unwrap();
        let (first, second) = (Bench::new(&building).unwrap(), Bench::new(&building).unwrap());
        for (bench, text) in [(&first, "first"), (&second, "second")] {
            std::fs::write(bench.folder.join("which"), text).unwrap();
        }
        let end = place.path().join("image");
        first.finish(&end).unwrap();
        second.finish(&end).unwrap();
        assert_eq!(std::fs::read_to_string(end.join("which")).unwrap(), "first");
        assert_eq!(names(&building), 0);
    }
}
