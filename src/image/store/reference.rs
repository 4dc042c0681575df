//! From what a spec names to a recipe.

use std::path::{Path, PathBuf};

use crate::image::error::{ImageError, Result};
use crate::image::recipe::{self, ArchiveSource, BUNDLED, Limits, Recipe, Source};

/// What a reference leads to.
#[derive(Debug)]
pub(super) enum Target {
    /// A recipe, not decoded yet: an image that is in the cache does not need it.
    Recipe(Draft),
    /// A name that was given by `airtight image import`.
    Imported(String),
}

/// A recipe as text, or a path that stands for one.
#[derive(Debug)]
pub(super) struct Draft {
    /// The image's name.
    pub(super) name: String,
    /// The recipe's file, or the archive.
    pub(super) path: PathBuf,
    /// The recipe's text; nothing where the path is an archive's.
    pub(super) text: Option<String>,
}

impl Draft {
    /// Decodes it.
    pub(super) fn recipe(&self) -> Result<Recipe> {
        if let Some(text) = &self.text {
            return Recipe::decode(&self.name, text, &self.path);
        }
        let source = ArchiveSource { path: self.path.clone(), sha256: None, limits: Limits::default() };
        Ok(Recipe { name: self.name.clone(), about: String::new(), source: Source::Archive(source) })
    }

    fn written(path: PathBuf) -> Result<Self> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, text: Some(recipe::read(&path)?), path })
    }

    fn bundled(name: &str) -> Option<Self> {
        let (name, text) = BUNDLED.iter().find(|(bundled, _)| *bundled == name)?;
        Some(Self {
            name: (*name).to_owned(),
            path: format!("images/{name}.yaml").into(),
            text: Some((*text).to_owned()),
        })
    }

    /// An archive, by its real path: the same file gives the same image under every name.
    pub(super) fn archive(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { name, path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), text: None }
    }
}

/// Resolves a reference: a path if it has a slash, else a recipe in an `images` folder around `from`, a bundled recipe, an
/// imported name, or at last a file of that name in `from`.
pub(super) fn resolve(reference: &str, from: &Path, imported: &[String]) -> Result<Target> {
    if reference.contains('/') {
        return Ok(Target::Recipe(Draft::archive(&from.join(reference))));
    }
    if let Some(path) =
        folders(from).map(|folder| folder.join(format!("{reference}.yaml"))).find(|path| path.is_file())
    {
        return Draft::written(path).map(Target::Recipe);
    }
    if let Some(draft) = Draft::bundled(reference) {
        return Ok(Target::Recipe(draft));
    }
    if imported.iter().any(|name| name == reference) {
        return Ok(Target::Imported(reference.to_owned()));
    }
    if !reference.is_empty() && from.join(reference).exists() {
        return Ok(Target::Recipe(Draft::archive(&from.join(reference))));
    }
    Err(unknown(reference, from, imported))
}

/// The names of all recipes that can be seen from `from`, sorted, each once.
pub(super) fn recipe_names(from: &Path) -> Vec<String> {
    let files = folders(from).flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let written =
        files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let written = written.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    let mut names: Vec<String> = written.chain(BUNDLED.iter().map(|(name, _)| (*name).to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

/// The `images` folders: of `from`, of the folders above it up to the working directory, and of that. Not further up, where
/// folders belong to other people.
fn folders(from: &Path) -> impl Iterator<Item = PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let from = here.join(from);
    let mut places: Vec<PathBuf> = vec![from.clone()];
    places.extend(from.ancestors().skip(1).filter(|above| above.starts_with(&here)).map(Path::to_owned));
    places.push(here);
    places.dedup();
    places.into_iter().map(|place| place.join("images"))
}

fn unknown(name: &str, from: &Path, imported: &[String]) -> ImageError {
    let known: Vec<String> = recipe_names(from).into_iter().chain(imported.iter().cloned()).collect();
    let close = known.iter().map(|other| (strsim::damerau_levenshtein(name, other), other)).min();
    let close = close.filter(|(distance, _)| *distance <= 2);
    let mend = close.map(|(_, other)| format!(" (did you mean `{other}`?)")).unwrap_or_default();
    ImageError::Unknown { name: name.to_owned(), mend, known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nothing_gets_a_mend() {
        let error = resolve("busybx", Path::new("/"), &[]).unwrap_err().to_string();
        assert!(
            error.contains("no image named `busybx` (did you mean `busybox`?); images here: base, "),
            "{error}"
        );
    }

    #[test]
    fn a_recipe_beside_the_specs_comes_before_a_bundled_one() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("images")).unwrap();
        std::fs::write(place.path().join("images/base.yaml"), "about: mine\nhost: {programs: [sh]}\n")
            .unwrap();
        let Target::Recipe(draft) = resolve("base", place.path(), &[]).unwrap() else {
            panic!("not a recipe")
        };
        assert_eq!(draft.recipe().unwrap().about, "mine");
    }

    #[test]
    fn a_slash_makes_a_path() {
        let Target::Recipe(draft) = resolve("./base", Path::new("/x"), &[]).unwrap() else {
            panic!("not a recipe")
        };
        let Source::Archive(archive) = draft.recipe().unwrap().source else { panic!("not an archive") };
        assert_eq!(archive.path, Path::new("/x/./base"));
    }
}
