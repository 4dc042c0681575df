//! A kernel, with all that is known of it.

use std::path::{Path, PathBuf};

use super::allowed::AllowedMessage;
use super::cache::Cache;
use super::error::Result;
use super::folder;
use super::image::{self, Image};
use super::modules::{Modules, gather};
use super::package;
use super::shelf::{Shelf, Source};
use crate::sandbox::KnownIssue;
use crate::vm::cgroups::Cgroups;

/// A kernel that can be booted.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Its name for columns and tests: the one that a list gives it, else its release. No two kernels of [`super::find`] have the same.
    pub name: String,
    /// As `uname -r` prints it: `6.12.117+deb13-amd64`.
    pub release: String,
    /// What QEMU boots untouched with `-kernel`: a bzImage, or a vmlinux with the PVH note. Taken out of a package it lies in the cache.
    pub image: PathBuf,
    /// The ELF file with the PVH note (`XEN_ELFNOTE_PHYS32_ENTRY`) that was unpacked from the image, in the cache, or the image itself
    /// where that is one. Nothing where it has no such note, or is packed in a way that is not unpacked here.
    pub entry: Option<PathBuf>,
    /// The text of its configuration: what lies beside it, is in its package, or in the kernel itself (`CONFIG_IKCONFIG`).
    pub config: Option<String>,
    /// Further arguments for its command line.
    pub append: Vec<String>,
    /// How the guest is to have its cgroups, if that was said.
    pub cgroups: Option<Cgroups>,
    /// What is known of it not to hold.
    pub known_issues: Vec<KnownIssue>,
    /// What it may say on its console.
    pub allowed_messages: Vec<AllowedMessage>,
    /// The SHA-256 of the image.
    pub digest: String,
    pub(super) modules: Source,
    pub(super) cache: Cache,
}

impl Kernel {
    /// The modules of these names, in the order in which they must be loaded, with those that they need. What is built in is told apart from
    /// what is not there.
    ///
    /// # Errors
    /// A module, or the package with the modules, cannot be read.
    pub fn modules(&self, wanted: &[&str]) -> Result<Modules> {
        gather(wanted, &mut Shelf::open(&self.modules, &self.cache)?)
    }

    /// Takes its modules from elsewhere.
    pub(super) fn take_modules_from(&mut self, place: &Path) -> Result<()> {
        self.modules = folder::modules_in(place, &self.release)?;
        Ok(())
    }

    /// The kernel in a file that is no package.
    pub(super) fn of_file(path: &Path, cache: &Cache) -> Result<Self> {
        let image = image::image(path, cache)?;
        let modules = folder::modules_beside(path, &image.release);
        let config = folder::config_beside(path, &image.release);
        Ok(Self::new(image, config, modules, cache))
    }

    /// The kernel in a package.
    pub(super) fn of_package(path: &Path, cache: &Cache) -> Result<Self> {
        let (file, taken) = package::kernel(path, cache)?;
        let image = image::image(&file, cache).map_err(|error| error.within(path))?;
        let siblings = package::siblings(path, &image.release);
        let beside = || siblings.iter().find_map(|path| package::take(path, cache).ok()?.config);
        let config = taken.config.or_else(beside);
        let packages = std::iter::once(path.to_owned()).chain(siblings).collect();
        Ok(Self::new(image, config, Source::Packages(packages), cache))
    }

    fn new(image: Image, config: Option<String>, modules: Source, cache: &Cache) -> Self {
        Self {
            name: image.release.clone(),
            release: image.release,
            image: image.path,
            entry: image.entry,
            config: config.or(image.config),
            append: Vec::new(),
            cgroups: None,
            known_issues: Vec::new(),
            allowed_messages: Vec::new(),
            digest: image.digest,
            modules,
            cache: cache.clone(),
        }
    }
}
