//! The store: from a reference to a root filesystem, built at first use.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::image::{About, folder_name, open, write};
use super::memo::{Memo, write_json};
use super::names::{Imported, check_name};
use super::reference::{Draft, Target, resolve};
use super::work::{Work, available, key};
use super::workshop::{Bench, lock, make_private, sweep};
use crate::image::error::{ImageError, Result, io};
use crate::image::report::Report;

/// The user's cache of images. It may be shared by threads; other processes may use the same cache at the same time.
#[derive(Debug)]
pub struct Store {
    pub(super) root: PathBuf,
    /// The images that this store has given out, locked as long as it lives: nobody removes one under a running sandbox.
    pub(super) in_use: Mutex<HashMap<String, File>>,
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

/// This user's cache folder: `$AIRTIGHT_CACHE`, else `$XDG_CACHE_HOME/airtight`, else `~/.cache/airtight`.
///
/// # Errors
/// None of the three is set to an absolute path.
pub fn cache_folder() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let xdg = || set("XDG_CACHE_HOME").map(|path| path.join("airtight"));
    let home = || set("HOME").map(|path| path.join(".cache/airtight"));
    set("AIRTIGHT_CACHE").or_else(xdg).or_else(home).ok_or(ImageError::NoCache)
}

impl Store {
    /// The store of this user: `images` in its cache folder.
    ///
    /// # Errors
    /// There is no cache folder, or the store's cannot be made.
    pub fn open() -> Result<Self> {
        Self::at(&cache_folder()?.join("images"))
    }

    /// The store in this folder, which is made if need be.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn at(root: &Path) -> Result<Self> {
        for folder in ["store", "memo", "names", "building", "locks"] {
            let path = root.join(folder);
            if !path.is_dir() {
                make_private(&path)?;
            }
        }
        Ok(Self { root: root.to_owned(), in_use: Mutex::default() })
    }

    /// The root filesystem of `reference`, which is built if it is not there yet: the name of a recipe or of an imported
    /// image, or a path to an archive or an OCI layout, taken from the folder `relative_to`.
    ///
    /// # Errors
    /// There is no such image, or it cannot be built.
    pub fn rootfs(&self, reference: &str, relative_to: &Path) -> Result<Rootfs> {
        match resolve(reference, relative_to, &self.imported_names())? {
            Target::Imported(name) => self.take(&self.imported(&name)?.digest),
            Target::Recipe(draft) => self.of_draft(&draft),
        }
    }

    /// Whether [`Store::rootfs`] can succeed here: the image is in the cache, or it can be built. Nothing is built. For a Debian
    /// suite the mirror is asked, which may take some seconds.
    ///
    /// # Errors
    /// The measured reason why not.
    pub fn available(&self, reference: &str, relative_to: &Path) -> std::result::Result<(), String> {
        let target =
            resolve(reference, relative_to, &self.imported_names()).map_err(|error| error.to_string())?;
        match target {
            Target::Imported(name) => self
                .imported(&name)
                .and_then(|image| self.take(&image.digest))
                .map(drop)
                .map_err(|error| error.to_string()),
            Target::Recipe(draft) if self.warm(&key(&draft)).is_some() => Ok(()),
            Target::Recipe(draft) => available(&draft),
        }
    }

    /// Builds the archive or OCI layout at `path`, and gives the image a name by which specs may call it. The archive itself is
    /// not needed any more. A name that was imported before now means the new image.
    ///
    /// # Errors
    /// The name is a recipe's, or the archive is refused.
    pub fn import(&self, path: &Path, name: &str) -> Result<Rootfs> {
        check_name(name)?;
        if let Ok(Target::Recipe(Draft { text: Some(_), .. })) = resolve(name, Path::new("."), &[]) {
            return Err(ImageError::Name { name: name.to_owned(), why: "a recipe has this name".to_owned() });
        }
        let rootfs = self.of_draft(&Draft::archive(path))?;
        let from = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let image = Imported { digest: rootfs.digest.clone(), from };
        write_json(&self.root.join("names").join(format!("{name}.json")), &image)?;
        Ok(rootfs)
    }

    fn of_draft(&self, draft: &Draft) -> Result<Rootfs> {
        let key = key(draft);
        self.warm(&key).map_or_else(|| self.cold(&key, draft), Ok)
    }

    fn memo_path(&self, key: &str) -> PathBuf {
        self.root.join("memo").join(format!("{key}.json"))
    }

    /// The image that the key led to last time, if it is still there and nothing has changed.
    pub(super) fn warm(&self, key: &str) -> Option<Rootfs> {
        let memo = Memo::read(&self.memo_path(key))?;
        self.take(&memo.digest).ok()
    }

    /// Identifies the image under the key's lock, and builds it unless a parallel run has just done so.
    fn cold(&self, key: &str, draft: &Draft) -> Result<Rootfs> {
        let _lock = lock(&self.root.join("locks").join(key))?;
        if let Some(rootfs) = self.warm(key) {
            return Ok(rootfs);
        }
        let work = Work::identify(draft)?;
        let rootfs = match self.take(&work.digest) {
            Ok(rootfs) => rootfs,
            Err(_) => self.build(&work, draft)?,
        };
        Memo { digest: work.digest, inputs: work.inputs }.write(&self.memo_path(key))?;
        Ok(rootfs)
    }

    fn build(&self, work: &Work, draft: &Draft) -> Result<Rootfs> {
        eprintln!("building the image {}, which is kept for later runs", draft.name);
        let building = self.root.join("building");
        // What cannot be swept now, a later build will try again.
        sweep(&building).ok();
        let bench = Bench::new(&building)?;
        let root = bench.folder.join("rootfs");
        std::fs::create_dir(&root).map_err(io("mkdir", &root))?;
        set_open(&root)?;
        let report = work.build(&root)?;
        write(&bench.folder, &About { name: draft.name.clone(), report })?;
        bench.finish(&self.root.join("store").join(folder_name(&work.digest)))?;
        self.take(&work.digest)
    }

    /// Reads what is there, and holds it against removal.
    fn take(&self, digest: &str) -> Result<Rootfs> {
        let folder = self.root.join("store").join(folder_name(digest));
        let (about, file) = open(&folder)?;
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.entry(digest.to_owned()).or_insert(file);
        Ok(Rootfs { path: folder.join("rootfs"), digest: digest.to_owned(), report: about.report })
    }
}

/// The root of an image is open to all, whatever the umask: in a sandbox, ordinary users enter it.
fn set_open(root: &Path) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(root, mode).map_err(io("chmod", root))
}
