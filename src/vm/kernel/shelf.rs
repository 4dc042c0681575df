//! Where modules lie, whatever that is: a folder, a build tree, or packages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::copy::unreadable;
use super::error::{KernelError, Result, damaged, io};
use super::format::{Format, Packing};
use super::image::open;
use super::modules::{is_module, name_of};
use super::package::Spool;
use super::unpack::unpacked;
use crate::image::Stamp;
use crate::image::unpack::Compression;

/// The largest module in bytes: with its debug information one may have 100 MB.
const LARGEST: u64 = 256 << 20;

/// The largest list of modules.
const LARGEST_LIST: u64 = 16 << 20;

/// So many files and folders are looked at below a folder of modules; a kernel of a distribution has some 6000.
const ENTRIES: usize = 200_000;

/// Where a kernel's modules come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// Nowhere.
    #[default]
    None,
    /// A folder `lib/modules/RELEASE`, or any other with modules in it.
    Folder(PathBuf),
    /// A tree in which a kernel was built.
    Tree(PathBuf),
    /// Packages, each of which may have some.
    Packages(Vec<PathBuf>),
}

/// Modules by their names.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    path: PathBuf,
    built_in: BTreeSet<String>,
    places: BTreeMap<String, Place>,
    packages: Vec<PackageShelf>,
}

/// Where a module lies.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    /// In the package of this number.
    Package(usize),
}

impl Shelf {
    /// What there is.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn open(source: &Source, cache: &Cache) -> Result<Self> {
        match source {
            Source::None => Ok(Self::default()),
            Source::Folder(folder) => Self::folder(folder),
            Source::Tree(tree) => Self::tree(tree),
            Source::Packages(packages) => Self::packages(packages, cache),
        }
    }

    /// Where the modules come from, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the kernel has this module in itself.
    pub(super) fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(name)
    }

    /// The bytes of a module, unpacked; nothing if there is none of this name.
    pub(super) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.places.get(name) {
            None => Ok(None),
            Some(Place::File(path)) => {
                let mut packed = Vec::new();
                open(path)?.take(LARGEST).read_to_end(&mut packed).map_err(io("read", path))?;
                unpack(&packed, path).map(Some)
            }
            Some(Place::Package(index)) => self.packages[*index].read(name),
        }
    }

    fn folder(folder: &Path) -> Result<Self> {
        let mut shelf = Self { path: folder.to_owned(), ..Self::default() };
        shelf.built_in = built_in(&list(&folder.join("modules.builtin"))?);
        let (mut folders, mut seen) = (vec![folder.to_owned()], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(io("readdir", &folder))? {
                let entry = entry.map_err(io("readdir", &folder))?;
                seen += 1;
                if seen > ENTRIES {
                    return Err(damaged(
                        &shelf.path,
                        format!("there are more than {ENTRIES} files below it"),
                    ));
                }
                // Of the entry and not of what it leads to: `build` and `source` are links out of the folder.
                let kind = entry.file_type().map_err(io("stat", &entry.path()))?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    shelf.add_file(entry.path());
                }
            }
        }
        Ok(shelf)
    }

    /// A tree's list has a line for each module, `kernel/fs/fuse/fuse.ko` or, since 6.2, `fs/fuse/fuse.o`.
    fn tree(tree: &Path) -> Result<Self> {
        let mut shelf = Self { path: tree.to_owned(), ..Self::default() };
        shelf.built_in = built_in(&list(&tree.join("modules.builtin"))?);
        for line in list(&tree.join("modules.order"))?.lines() {
            let line = line.strip_prefix("kernel/").unwrap_or(line);
            let path = tree.join(line.strip_prefix('/').unwrap_or(line)).with_extension("ko");
            if path.is_file() {
                shelf.add_file(path);
            }
        }
        Ok(shelf)
    }

    fn add_file(&mut self, path: PathBuf) {
        if let Some(name) = name_of(&path) {
            self.places.entry(name).or_insert(Place::File(path));
        }
    }

    fn packages(packages: &[PathBuf], cache: &Cache) -> Result<Self> {
        let mut shelf = Self { path: packages.first().cloned().unwrap_or_default(), ..Self::default() };
        for (index, path) in packages.iter().enumerate() {
            let (package, listing) = PackageShelf::open(path, cache)?;
            shelf.built_in.extend(listing.built_in);
            for name in listing.modules {
                shelf.places.entry(name).or_insert(Place::Package(index));
            }
            shelf.packages.push(package);
        }
        Ok(shelf)
    }
}

/// What a package has, as it is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Listing {
    modules: BTreeSet<String>,
    built_in: BTreeSet<String>,
}

/// The modules of a package. It is gone through once for what is asked for and not in the cache yet.
#[derive(Debug)]
struct PackageShelf {
    path: PathBuf,
    /// What tells this package from any other, in the cache.
    stamp: String,
    cache: Cache,
    spool: Option<Spool>,
}

impl PackageShelf {
    fn open(path: &Path, cache: &Cache) -> Result<(Self, Listing)> {
        let stamp = Stamp::of(path).text();
        let mut shelf = Self { path: path.to_owned(), stamp, cache: cache.clone(), spool: None };
        if let Some(listing) = cache.recall("modules", &shelf.stamp) {
            return Ok((shelf, listing));
        }
        let spool = shelf.spool()?;
        let modules = spool.modules.iter().filter_map(|(file, ..)| name_of(Path::new(file))).collect();
        let listing = Listing { modules, built_in: built_in(spool.built_in.as_deref().unwrap_or_default()) };
        cache.record("modules", &shelf.stamp, &listing)?;
        Ok((shelf, listing))
    }

    fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let key = format!("{name}\n{}", self.stamp);
        let kept = self.cache.recall::<String>("module", &key).and_then(|digest| self.cache.file(&digest));
        if let Some(path) = kept {
            return std::fs::read(&path).map(Some).map_err(io("read", &path));
        }
        let path = self.path.clone();
        let spool = self.spool()?;
        let place = spool.modules.iter().find(|(file, ..)| name_of(Path::new(file)).as_deref() == Some(name));
        let Some((file, at, length)) = place.cloned() else { return Ok(None) };
        if length > LARGEST {
            let why = format!("its module {file} has {length} bytes");
            return Err(KernelError::Bomb { path, why });
        }
        let bytes = unpack(&spool.read(at, length)?, &path)?;
        let digest = self.cache.keep_bytes(&bytes)?;
        self.cache.record("module", &key, &digest)?;
        Ok(Some(bytes))
    }

    fn spool(&mut self) -> Result<&mut Spool> {
        if self.spool.is_none() {
            self.spool = Some(Spool::of(&self.path, &self.cache)?);
        }
        self.spool.as_mut().ok_or_else(|| damaged(&self.path, "it has no modules"))
    }
}

fn unpack(packed: &[u8], path: &Path) -> Result<Vec<u8>> {
    let packing = match Format::of(&packed[..packed.len().min(512)]) {
        Format::Packed(packing) => packing,
        _ => Packing::Common(Compression::None),
    };
    let mut bytes = Vec::new();
    let mut stream = unpacked(packing, packed, LARGEST).map_err(unreadable(path))?;
    stream.read_to_end(&mut bytes).map_err(unreadable(path))?;
    Ok(bytes)
}

/// The names in a `modules.builtin`.
fn built_in(list: &str) -> BTreeSet<String> {
    list.lines().filter_map(|line| name_of(Path::new(line))).collect()
}

/// A list of modules; one that is not there is empty.
fn list(path: &Path) -> Result<String> {
    if !path.is_file() {
        return Ok(String::new());
    }
    let mut list = String::new();
    open(path)?.take(LARGEST_LIST).read_to_string(&mut list).map_err(io("read", path))?;
    Ok(list)
}

/// Whether a folder has modules right in it, or is the root of such.
pub(super) fn has_modules(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.take(ENTRIES).map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|name| name == "kernel" || name == "modules.order" || is_module(&name))
}
