//! From a recipe to an image, in three stages that cost ever more: key, identity, build.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::image::error::Result;
use crate::image::host::{self, Found, Plan};
use crate::image::recipe::{Recipe, Source};
use crate::image::report::Report;
use crate::image::stamp::Stamp;

/// Raised whenever a builder makes something else of the same recipe: images of another format are not found any more.
const FORMAT: u32 = 1;

/// A recipe with what can be said of it in a few hundred system calls.
#[derive(Debug)]
pub(super) struct Keyed<'a> {
    recipe: &'a Recipe,
    /// Covers the recipe, the user, and which programs of the host it names.
    pub(super) key: String,
    found: Vec<Found>,
}

/// What is to be built.
#[derive(Debug)]
pub(super) struct Identified<'a> {
    recipe: &'a Recipe,
    /// The image's digest.
    pub(super) digest: String,
    /// The files that it depends on.
    pub(super) inputs: Vec<Stamp>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Host(Plan),
}

impl<'a> Keyed<'a> {
    /// The first stage.
    pub(super) fn new(recipe: &'a Recipe) -> Self {
        let found = match &recipe.source {
            Source::Host(source) => host::find(source),
            _ => Vec::new(),
        };
        // Root and an ordinary user make different trees of one recipe: owners, devices.
        let user = nix::unistd::geteuid();
        let programs: String = found.iter().map(|found| format!("{} {:?}\n", found.name, found.at)).collect();
        let key = digest(&[&format!("airtight image {FORMAT} {user}"), &recipe.text, &programs]);
        Self { recipe, key, found }
    }

    /// The second stage: reads what the image is made of.
    pub(super) fn identify(&self) -> Result<Identified<'a>> {
        let (inputs, work, content) = match &self.recipe.source {
            Source::Host(source) => {
                let plan = host::plan(source, &self.found)?;
                let inputs = plan.stamps()?;
                let content = inputs.iter().map(Stamp::text).collect();
                (inputs, Work::Host(plan), content)
            }
            _ => return Err(crate::image::ImageError::Unavailable { name: self.recipe.name.clone(), why: "only the host source is built so far".to_owned() }),
        };
        let content: String = content;
        Ok(Identified { recipe: self.recipe, digest: digest(&[&self.key, &content]), inputs, work })
    }
}

impl Identified<'_> {
    /// The third stage: makes the image in the empty directory `root`.
    pub(super) fn build(&self, root: &Path) -> Result<Report> {
        match (&self.work, &self.recipe.source) {
            (Work::Host(plan), Source::Host(source)) => host::build(source, plan, root),
            _ => Ok(Report::default()),
        }
    }
}

/// A SHA-256 over the parts, each with its length before it.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
