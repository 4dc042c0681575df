//! The store: from a reference to a root filesystem, built at first use.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::memo::{Memo, write_json};
use super::reference::{Target, recipe_names, resolve};
use super::work::{Identified, Keyed};
use super::workshop::{Bench, lock, make_private, sweep};
use crate::image::error::{ImageError, Result, io};
use crate::image::report::Report;

/// The user's cache of images. It may be shared by threads; other processes may use the same cache at the same time.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Held as long as this store lives, so that nobody removes an image under a running sandbox.
    in_use: Mutex<HashMap<String, File>>,
}

/// A root filesystem in the cache. It is to be used read-only, as the lower layer of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rootfs {
    /// Its absolute path. The folders above it are open to their owner only: enter it before giving up rights.
    pub path: PathBuf,
    /// What it was made of, as 64 hexadecimal digits: another digest, another content.
    pub digest: String,
    /// What could not be made.
    pub report: Report,
}

/// What `image.json` says beside a root filesystem.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    name: String,
    report: Report,
}

impl Store {
    /// The store of this user: `$AIRTIGHT_CACHE/images`, else `$XDG_CACHE_HOME/airtight/images`, else
    /// `~/.cache/airtight/images`.
    ///
    /// # Errors
    /// None of the three is set to an absolute path, or the folder cannot be made.
    pub fn open() -> Result<Self> {
        let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let xdg = || set("XDG_CACHE_HOME").map(|path| path.join("airtight"));
        let home = || set("HOME").map(|path| path.join(".cache/airtight"));
        let place = set("AIRTIGHT_CACHE").or_else(xdg).or_else(home).ok_or(ImageError::NoCache)?;
        Self::at(&place.join("images"))
    }

    /// The store in this folder, which is made if need be.
    pub fn at(root: &Path) -> Result<Self> {
        let store = Self { root: root.to_owned(), in_use: Mutex::default() };
        for folder in ["store", "memo", "names", "building", "locks"] {
            let path = root.join(folder);
            if !path.is_dir() {
                make_private(&path)?;
            }
        }
        Ok(store)
    }

    /// The root filesystem of `reference`, which is built if it is not there yet: the name of a recipe or of an imported
    /// image, or a path to an archive or an OCI layout, taken from the folder `relative_to`.
    ///
    /// # Errors
    /// There is no such image, or it cannot be built.
    pub fn rootfs(&self, reference: &str, relative_to: &Path) -> Result<Rootfs> {
        match resolve(reference, relative_to, &self.imported())? {
            Target::Imported(name) => Err(ImageError::Unavailable { name, why: "imports are not read so far".to_owned() }),
            Target::Recipe(recipe) => {
                let keyed = Keyed::new(&recipe);
                match self.warm(&keyed) {
                    Some(rootfs) => Ok(rootfs),
                    None => self.cold(&keyed, &recipe.name),
                }
            }
        }
    }

    fn imported(&self) -> Vec<String> {
        Vec::new()
    }

    fn memo_path(&self, key: &str) -> PathBuf {
        self.root.join("memo").join(format!("{key}.json"))
    }

    /// The image that the key led to last time, if it is still there and nothing has changed.
    fn warm(&self, keyed: &Keyed<'_>) -> Option<Rootfs> {
        let memo = Memo::read(&self.memo_path(&keyed.key))?;
        self.take(&memo.digest).ok()
    }

    /// Identifies the image under the key's lock, and builds it unless a parallel run has just done so.
    fn cold(&self, keyed: &Keyed<'_>, name: &str) -> Result<Rootfs> {
        let _lock = lock(&self.root.join("locks").join(&keyed.key))?;
        if let Some(rootfs) = self.warm(keyed) {
            return Ok(rootfs);
        }
        let identified = keyed.identify()?;
        if !self.image(&identified.digest).is_dir() {
            self.build(&identified, name)?;
        }
        let memo = Memo { digest: identified.digest.clone(), inputs: identified.inputs };
        memo.write(&self.memo_path(&keyed.key))?;
        self.take(&identified.digest)
    }

    fn build(&self, identified: &Identified<'_>, name: &str) -> Result<()> {
        let building = self.root.join("building");
        // What cannot be swept now, a later build will try again.
        sweep(&building).ok();
        let bench = Bench::new(&building)?;
        let root = bench.folder.join("rootfs");
        std::fs::create_dir(&root).map_err(io("mkdir", &root))?;
        let report = identified.build(&root)?;
        write_json(&bench.folder.join("image.json"), &About { name: name.to_owned(), report })?;
        bench.finish(&self.image(&identified.digest))
    }

    fn image(&self, digest: &str) -> PathBuf {
        self.root.join("store").join(digest)
    }

    /// Reads what is there, and holds it against removal.
    fn take(&self, digest: &str) -> Result<Rootfs> {
        let folder = self.image(digest);
        let about = folder.join("image.json");
        let text = std::fs::read(&about).map_err(io("read", &about))?;
        let read: About = serde_json::from_slice(&text).map_err(|error| io("read", &about)(error.into()))?;
        Ok(Rootfs { path: folder.join("rootfs"), digest: digest.to_owned(), report: read.report })
    }
}

/// One line of `airtight image ls`.
#[derive(Debug, Clone)]
pub struct Listed {
    pub name: String,
}
