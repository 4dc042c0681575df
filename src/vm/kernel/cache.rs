//! What has been unpacked once: files by their content, and short records of what was found.
//!
//! Several runs may use the folder at once. Each file is written beside its place and renamed into it; whoever is second replaces equal by
//! equal. Nothing is taken from the folder that is not what was put there.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::error::{Result, io};
use crate::image::{Stamp, hex};

/// The beginning of the names of files in the making.
const MAKING: &str = ".making-";

/// What is older was left by a run that was killed.
const LEFT: Duration = Duration::from_hours(1);

/// The largest record in bytes: the names of all modules of a kernel are some 100 KiB.
const RECORD: u64 = 16 << 20;

/// A folder that belongs to the user alone.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    files: PathBuf,
    records: PathBuf,
}

impl Cache {
    /// The cache in this folder, which is made if need be.
    pub(super) fn at(folder: &Path) -> Result<Self> {
        let cache = Self { files: folder.join("files"), records: folder.join("records") };
        for folder in [&cache.files, &cache.records] {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder).map_err(io("mkdir", folder))?;
            sweep(folder);
        }
        Ok(cache)
    }

    /// The file of this content, if it is there and is what it was.
    pub(super) fn file(&self, digest: &str) -> Option<PathBuf> {
        let path = self.files.join(digest);
        let stamp = Stamp::of(&path);
        if self.recall::<Stamp>("file", digest).is_some_and(|known| known == stamp) {
            return Some(path);
        }
        // Somebody has touched it, or it has just been replaced by its equal: then its content decides. What is wrong stays where it is, and
        // is replaced by what is right: whoever removed it might remove what another run has just put there.
        if !File::open(&path).and_then(sha256).is_ok_and(|real| real == digest) {
            return None;
        }
        self.record("file", digest, &stamp).ok();
        Some(path)
    }

    /// Keeps what `write` writes, and says under which digest.
    pub(super) fn keep(&self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<String> {
        let file = making(&self.files)?;
        let mut writer = Hashing { inner: BufWriter::with_capacity(1 << 18, file), hash: Sha256::new() };
        write(&mut writer)?;
        let file = writer.inner.into_inner().map_err(|error| io("write", &self.files)(error.into_error()))?;
        let digest = hex(writer.hash);
        let path = self.files.join(&digest);
        file.persist(&path).map_err(|error| io("rename", &path)(error.error))?;
        self.record("file", &digest, &Stamp::of(&path))?;
        Ok(digest)
    }

    /// Keeps these bytes.
    pub(super) fn keep_bytes(&self, bytes: &[u8]) -> Result<String> {
        self.keep(|writer| writer.write_all(bytes).map_err(io("write", &self.files)))
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Path {
        &self.files
    }

    /// A file without a name, which is gone once it is closed.
    pub(super) fn spool(&self) -> Result<File> {
        tempfile::tempfile_in(&self.files).map_err(io("open", &self.files))
    }

    /// Writes down what was found; `kind` and `key` are where [`Cache::recall`] looks.
    pub(super) fn record(&self, kind: &str, key: &str, value: &impl Serialize) -> Result<()> {
        let path = self.record_path(kind, key);
        let json = serde_json::to_string(value).map_err(|error| io("write", &path)(error.into()))?;
        let text = format!("{}\n{json}", digest_of(json.as_bytes()));
        let mut file = making(&self.records)?;
        file.write_all(text.as_bytes()).map_err(io("write", &path))?;
        file.persist(&path).map_err(|error| io("rename", &path)(error.error))?;
        Ok(())
    }

    /// What was written down, if it was, and is whole.
    pub(super) fn recall<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Option<T> {
        let file = File::open(self.record_path(kind, key)).ok()?;
        let mut text = String::new();
        file.take(RECORD).read_to_string(&mut text).ok()?;
        let (digest, json) = text.split_once('\n')?;
        if digest != digest_of(json.as_bytes()) {
            return None;
        }
        serde_json::from_str(json).ok()
    }

    fn record_path(&self, kind: &str, key: &str) -> PathBuf {
        self.records.join(format!("{kind}-{}", &digest_of(key.as_bytes())[..40]))
    }
}

/// A file that is yet to be renamed into its place.
fn making(folder: &Path) -> Result<NamedTempFile> {
    tempfile::Builder::new().prefix(MAKING).tempfile_in(folder).map_err(io("open", folder))
}

/// Deletes what killed runs have left. What cannot be deleted now, a later run will try again.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let old = |entry: &std::fs::DirEntry| entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        let making = entry.file_name().to_string_lossy().starts_with(MAKING);
        if making && old(&entry).is_some_and(|age| age > LEFT) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

/// The digest of these bytes, in hexadecimal.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// The digest of all that is left in a file.
pub(super) fn sha256(mut file: File) -> io::Result<String> {
    let mut hash = Hashing { inner: io::sink(), hash: Sha256::new() };
    io::copy(&mut file, &mut hash)?;
    Ok(hex(hash.hash))
}

/// Writes, and computes the digest of what it has written.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
