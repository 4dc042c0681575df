//! One tar, entry by entry, into a root.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::decompress::decoder;
use super::entry::{Made, make};
use super::message::{Done, Order};
use super::metadata::{Metadata, Owners};
use super::meter::{Counts, Packed, Unpacked};
use super::place::{Absent, folder, parts};
use super::whiteout::{self, Meaning};
use crate::image::Missing;
use crate::image::digest::hex;

/// Unpacks the stream into `root`, and tells `report` what could not be made.
///
/// # Errors
/// A sentence with the name of the entry that is refused.
pub(super) fn unpack(
    stream: impl Read,
    root: &Path,
    order: &Order,
    report: &mut dyn FnMut(Missing),
) -> Result<Done, String> {
    let counts = Rc::<Counts>::default();
    let hash = Rc::new(RefCell::new(Sha256::new()));
    let packed = BufReader::with_capacity(1 << 16, Packed { inner: stream, counts: Rc::clone(&counts) });
    let plain = decoder(packed).map_err(|error| error.to_string())?;
    let plain =
        Unpacked { inner: plain, counts: Rc::clone(&counts), limits: order.limits, hash: Rc::clone(&hash) };
    let mut layer = Layer::new(root, order, report);
    let mut archive = tar::Archive::new(plain);
    layer.all(&mut archive, &counts)?;
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())
        .map_err(|error| layer.at_end(&error.to_string()))?;
    let diff_id = hex(hash.borrow().clone());
    layer.finish(diff_id)
}

struct Layer<'a> {
    root: &'a Path,
    order: &'a Order,
    report: &'a mut dyn FnMut(Missing),
    entries: u64,
    budget: u64,
    last: String,
    owners: Owners,
    /// What this layer has made, for its whiteouts.
    made: HashSet<PathBuf>,
    /// Folders, whose times are set when nothing more is made in them.
    folders: Vec<(PathBuf, Metadata)>,
}

impl<'a> Layer<'a> {
    fn new(root: &'a Path, order: &'a Order, report: &'a mut dyn FnMut(Missing)) -> Self {
        let budget = order.limits.bytes;
        let (last, owners) = (String::new(), Owners::default());
        Self {
            root,
            order,
            report,
            entries: 0,
            budget,
            last,
            owners,
            made: HashSet::new(),
            folders: Vec::new(),
        }
    }

    fn all<R: Read>(&mut self, archive: &mut tar::Archive<R>, counts: &Counts) -> Result<(), String> {
        let between = || counts.between.set(Some(counts.unpacked.get()));
        between();
        for entry in archive.entries().map_err(|error| error.to_string())? {
            let mut entry = entry.map_err(|error| self.at_end(&error.to_string()))?;
            counts.between.set(None);
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            self.one(&mut entry, &name).map_err(|why| format!("entry `{name}` is refused: {why}"))?;
            // What is left of the entry's content is its own, not a header of the next.
            std::io::copy(&mut entry, &mut std::io::sink())
                .map_err(|error| format!("entry `{name}` is refused: {error}"))?;
            self.last = name;
            between();
        }
        counts.between.set(None);
        // POSIX ustar: two zero blocks end a tar. The reader stops at the first of them, so that it has not seen the end.
        if counts.ended.get() { Err(self.at_end("truncated: the tar has no end mark")) } else { Ok(()) }
    }

    fn one<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, name: &str) -> Result<(), String> {
        // A global PAX header is about the archive as a whole: git writes its commit there.
        if entry.header().entry_type().is_pax_global_extensions() {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > self.order.limits.entries {
            return Err(format!("a bomb: the image has more than {} entries", self.order.limits.entries));
        }
        let mut way = parts(&entry.path_bytes())?;
        let Some(last) = way.pop() else { return self.root_itself(entry) };
        let meaning = if self.order.layer { whiteout::meaning(&last)? } else { Meaning::Entry };
        let absent = if meaning == Meaning::Entry { Absent::Make } else { Absent::Stop };
        let Some(parent) = folder(self.root, &way, absent)? else { return Ok(()) };
        let failed = |error: std::io::Error| format!("the whiteout failed: {error}");
        match meaning {
            Meaning::Entry => self.make(entry, &parent.join(last), name),
            Meaning::Gone(gone) => whiteout::delete(&parent.join(gone), &self.made).map(drop).map_err(failed),
            Meaning::Opaque => whiteout::delete_in(&parent, &self.made).map(drop).map_err(failed),
            Meaning::Note => Ok(()),
        }
    }

    /// `./` says the mode and the owner of the root.
    fn root_itself<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), String> {
        if !entry.header().entry_type().is_dir() {
            return Err("it has no name".to_owned());
        }
        let root = self.root.to_owned();
        self.set(Metadata::of(entry)?, root, "/", true)
    }

    fn make<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        path: &Path,
        name: &str,
    ) -> Result<(), String> {
        let metadata = Metadata::of(entry)?;
        let is_folder = entry.header().entry_type().is_dir();
        match make(entry, self.root, path, name, &mut self.budget)? {
            Made::New => self.set(metadata, path.to_owned(), name, is_folder)?,
            Made::Link => {}
            Made::Not(missing) => (self.report)(missing),
        }
        if self.order.layer {
            self.made.insert(path.to_owned());
        }
        Ok(())
    }

    fn set(&mut self, metadata: Metadata, path: PathBuf, name: &str, is_folder: bool) -> Result<(), String> {
        metadata.apply(&path, name, &mut self.owners)?.into_iter().for_each(&mut *self.report);
        if is_folder {
            self.folders.push((path, metadata));
        }
        Ok(())
    }

    /// An error between entries is told with the last good one.
    fn at_end(&self, why: &str) -> String {
        if self.last.is_empty() {
            format!("its first entry is refused: {why}")
        } else {
            format!("what follows entry `{}` is refused: {why}", self.last)
        }
    }

    fn finish(mut self, diff_id: String) -> Result<Done, String> {
        for (path, metadata) in self.folders.iter().rev() {
            // A later entry may have put something else in its place, which has its own time.
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                metadata.stamp(path)?;
            }
        }
        std::mem::take(&mut self.owners).missing().into_iter().for_each(&mut *self.report);
        Ok(Done { entries: self.entries, bytes: self.order.limits.bytes - self.budget, diff_id })
    }
}
