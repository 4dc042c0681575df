//! The agent's program with its loader and libraries as one directory of the host: for runtimes that are given it as a mount, since a
//! daemon does not see what is put together in the launcher's mount namespace.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::bundle::{self, Bundle};
use crate::image::{cache_folder, hex};
use crate::sandbox::runtime::StartError;
use crate::sandbox::vouch::Brought;

/// In the cache folder.
const FOLDER: &str = "agents";

/// The directory, and what of it the agent's process runs.
#[derive(Debug, Clone)]
pub(super) struct Luggage {
    pub(super) directory: PathBuf,
    pub(super) brought: Brought,
}

/// The directory for this very program, made at its first use. It stays: another run may be using it. `airtight clean` removes them all.
pub(super) fn luggage() -> Result<Luggage, StartError> {
    static PACKED: OnceLock<Luggage> = OnceLock::new();
    match PACKED.get() {
        Some(luggage) => Ok(luggage.clone()),
        None => pack().map(|luggage| PACKED.get_or_init(|| luggage).clone()),
    }
}

/// Removes all of them.
pub(in crate::sandbox) fn remove_all() -> std::io::Result<()> {
    let folder = folder().map_err(std::io::Error::other)?;
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}

fn pack() -> Result<Luggage, StartError> {
    let failed = |error: std::io::Error| StartError::Bundle(error.to_string());
    let (bundle, folder) = (bundle::own_program()?, folder().map_err(StartError::Bundle)?);
    let directory = folder.join(key(&bundle).map_err(failed)?);
    if !directory.is_dir() {
        fs::create_dir_all(&folder).map_err(failed)?;
        let unfinished = tempfile::tempdir_in(&folder).map_err(failed)?;
        for (source, target) in &bundle.binds {
            place(source, &unfinished.path().join(name(target))).map_err(failed)?;
        }
        settle(unfinished, &directory).map_err(failed)?;
    }
    let at = |path: PathBuf| {
        bundle
            .binds
            .iter()
            .find(|(source, _)| *source == path)
            .map(|(_, target)| directory.join(name(target)))
    };
    let program = at(bundle.brought.program).unwrap_or_else(|| directory.clone());
    let loader = bundle.brought.loader.and_then(at);
    Ok(Luggage { brought: Brought { program, loader }, directory })
}

fn folder() -> Result<PathBuf, String> {
    cache_folder().map(|cache| cache.join(FOLDER)).map_err(|error| error.to_string())
}

/// Other files, another key.
fn key(bundle: &Bundle) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for (source, target) in &bundle.binds {
        let found = fs::metadata(source)?;
        let stamp = (found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec());
        hash.update(format!("{} {target} {stamp:?}\n", source.display()));
    }
    Ok(hex(hash).chars().take(16).collect())
}

/// A further name for the file where that is possible; it is the same file to whoever asks what a process runs.
fn place(source: &Path, target: &Path) -> std::io::Result<()> {
    // Of a symbolic link it would be the link that gets another name.
    let source = fs::canonicalize(source)?;
    fs::hard_link(&source, target).or_else(|_| fs::copy(&source, target).map(drop))
}

/// Whoever comes second finds it there.
fn settle(unfinished: tempfile::TempDir, directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(unfinished.path(), fs::Permissions::from_mode(0o755))?;
    match fs::rename(unfinished.path(), directory) {
        Err(error) if !directory.is_dir() => Err(error),
        _ => {
            // Its name is another by now, or it is not needed.
            let _ = unfinished.close();
            Ok(())
        }
    }
}

fn name(target: &str) -> &str {
    target.rsplit('/').next().unwrap_or(target)
}
