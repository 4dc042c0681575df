//! `airtight image ls` and `rm`: what there is, and away with it.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::cache::Store;
use super::image::{About, open};
use super::reference::{Draft, Target, recipe_names, resolve};
use super::work::key;
use super::workshop::Bench;
use crate::image::delete;
use crate::image::error::{ImageError, Result, io};
use crate::image::recipe::Source;

/// An image that can be asked for, or that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it is made of: `host`, `archive`, `debian`, `imported`; `cached` for what has no recipe here.
    pub source: &'static str,
    /// The digest, if it is in the cache and up to date.
    pub digest: Option<String>,
    /// One sentence: the recipe's, or the archive's path.
    pub about: String,
}

/// What [`Store::remove`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many images were deleted: a name may have several, of older host programs.
    pub images: usize,
    /// Whether an imported name was forgotten.
    pub name: bool,
}

impl Store {
    /// All that can be asked for from the working directory and all that is in the cache, by name.
    ///
    /// # Errors
    /// A recipe cannot be read, or the cache cannot.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let imported = self.imported_names();
        let mut all = Vec::new();
        for name in recipe_names(Path::new(".")) {
            if let Target::Recipe(draft) = resolve(&name, Path::new("."), &imported)? {
                all.push(self.of_recipe(&draft)?);
            }
        }
        for name in imported {
            let image = self.imported(&name)?;
            all.push(Listed {
                name,
                source: "imported",
                digest: Some(image.digest),
                about: image.from.display().to_string(),
            });
        }
        let rest = self.without_recipe(&all)?;
        all.extend(rest);
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// What is in the cache and not among these: of recipes and host programs of another day.
    fn without_recipe(&self, all: &[Listed]) -> Result<Vec<Listed>> {
        let listed = |digest: &String| all.iter().any(|listed| listed.digest.as_ref() == Some(digest));
        let cached = self.cached()?.into_iter().filter_map(|(folder, about)| {
            let digest = folder.file_name()?.to_str()?.to_owned();
            let own = Listed {
                name: about.name,
                source: "cached",
                digest: Some(digest.clone()),
                about: String::new(),
            };
            (!listed(&digest)).then_some(own)
        });
        Ok(cached.collect())
    }

    fn of_recipe(&self, draft: &Draft) -> Result<Listed> {
        let recipe = draft.recipe()?;
        let source = match recipe.source {
            Source::Host(_) => "host",
            Source::Archive(_) => "archive",
            Source::Debian(_) => "debian",
        };
        let digest = self.warm(&key(draft)).map(|rootfs| rootfs.digest);
        Ok(Listed { name: recipe.name, source, digest, about: recipe.about })
    }

    /// Forgets an imported name, and deletes the images that were built under the name or that it stood for. A recipe stays,
    /// and is built again when it is asked for. An image that another name stands for stays.
    ///
    /// # Errors
    /// Nothing of this name is in the cache, or another process uses an image.
    pub fn remove(&self, name: &str) -> Result<Removed> {
        let imported = self.imported_names().iter().any(|known| known == name);
        let mut doomed: BTreeSet<PathBuf> = self
            .cached()?
            .into_iter()
            .filter(|(_, about)| about.name == name)
            .map(|(folder, _)| folder)
            .collect();
        if imported {
            doomed.insert(
                self.root.join("store").join(super::image::folder_name(&self.imported(name)?.digest)),
            );
        }
        for other in self.imported_names().iter().filter(|other| *other != name) {
            doomed.remove(&self.root.join("store").join(self.imported(other)?.digest));
        }
        let images = doomed
            .iter()
            .filter(|folder| folder.is_dir())
            .map(|folder| self.delete(folder, name))
            .collect::<Result<Vec<()>>>()?;
        if images.is_empty() && !imported {
            let why = "nothing of this name is in the cache".to_owned();
            return Err(ImageError::Name { name: name.to_owned(), why });
        }
        if imported {
            let path = self.root.join("names").join(format!("{name}.json"));
            std::fs::remove_file(&path).map_err(io("unlink", &path))?;
        }
        Ok(Removed { images: images.len(), name: imported })
    }

    /// Moves it out of the way first, so that it is there whole or not at all.
    fn delete(&self, folder: &Path, name: &str) -> Result<()> {
        let digest = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        let path = folder.join("image.json");
        let file = File::open(&path).map_err(io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = "another process uses the image".to_owned();
                return Err(ImageError::Name { name: name.to_owned(), why });
            }
            Err(TryLockError::Error(error)) => return Err(io("flock", &path)(error)),
        }
        let bench = Bench::new(&self.root.join("building"))?;
        let grave = bench.folder.join("removed");
        std::fs::rename(folder, &grave).map_err(io("rename", folder))?;
        delete::tree(&grave)
    }

    /// The images in the cache, with what they say of themselves.
    fn cached(&self) -> Result<Vec<(PathBuf, About)>> {
        let store = self.root.join("store");
        let entries = std::fs::read_dir(&store).map_err(io("readdir", &store))?;
        Ok(entries.flatten().filter_map(|entry| Some((entry.path(), open(&entry.path()).ok()?.0))).collect())
    }
}
