//! From a recipe to an image, in three stages that cost ever more: key, identity, build.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::reference::Draft;
use crate::image::archive::Identity;
use crate::image::digest::hex;
use crate::image::error::Result;
use crate::image::host::Plan;
use crate::image::recipe::{ArchiveSource, DebianSource, HostSource, Recipe, Source};
use crate::image::report::Report;
use crate::image::stamp::Stamp;
use crate::image::{archive, debian, host};

/// Raised whenever a builder makes something else of the same recipe: images of another format are not found any more.
const FORMAT: u32 = 2;

/// What is to be built.
#[derive(Debug)]
pub(super) struct Work {
    name: String,
    /// The image's digest.
    pub(super) digest: String,
    /// The files that it depends on.
    pub(super) inputs: Vec<Stamp>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Host(HostSource, Plan),
    Archive(ArchiveSource, Identity),
    Debian(DebianSource),
}

/// The first stage: a key under which is remembered what the recipe led to. No file is read for it.
pub(super) fn key(draft: &Draft) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let text = draft.text.as_deref().unwrap_or("archive");
    digest(&[&maker(), &path.to_string_lossy(), &draft.path.to_string_lossy(), text])
}

impl Work {
    /// The second stage: reads what the image is made of.
    pub(super) fn identify(draft: &Draft) -> Result<Self> {
        let Recipe { name, source, .. } = draft.recipe()?;
        match source {
            Source::Host(source) => Self::host(name, source, draft),
            Source::Archive(source) => {
                let identity = archive::identify(&source)?;
                let digest = digest(&[&maker(), "archive", &identity.digest]);
                Ok(Self {
                    name,
                    digest,
                    inputs: identity.inputs.clone(),
                    kind: Kind::Archive(source, identity),
                })
            }
            Source::Debian(source) => {
                let digest = digest(&[&maker(), "debian", &format!("{source:?}")]);
                Ok(Self { name, digest, inputs: Vec::new(), kind: Kind::Debian(source) })
            }
        }
    }

    /// The directories count for where the programs are found; the files alone for what the image is.
    fn host(name: String, source: HostSource, draft: &Draft) -> Result<Self> {
        let directories = host::directories();
        let mut inputs: Vec<Stamp> = directories.iter().map(|path| Stamp::of(path)).collect();
        let plan = host::plan(&source)?;
        let files = plan.stamps();
        let content: String = files.iter().map(Stamp::text).collect();
        let digest = digest(&[
            &maker(),
            "host",
            &name,
            draft.text.as_deref().unwrap_or_default(),
            &plan.names(),
            &content,
        ]);
        inputs.extend(files);
        Ok(Self { name, digest, inputs, kind: Kind::Host(source, plan) })
    }

    /// The third stage: makes the image in the empty directory `root`.
    pub(super) fn build(&self, root: &Path) -> Result<Report> {
        match &self.kind {
            Kind::Host(source, plan) => host::build(&self.name, source, plan, root),
            Kind::Archive(source, identity) => archive::build(source, identity, root),
            Kind::Debian(source) => debian::build(&self.name, source, root),
        }
    }
}

/// Says why the image cannot be built here, as far as that can be known without building it.
pub(super) fn available(draft: &Draft) -> std::result::Result<(), String> {
    match draft.recipe().map_err(|error| error.to_string())?.source {
        Source::Host(source) => host::available(&source),
        Source::Archive(source) => std::fs::metadata(&source.path)
            .map(drop)
            .map_err(|error| format!("{}: {error}", source.path.display())),
        Source::Debian(source) => debian::available(&source),
    }
}

/// Root and an ordinary user make different trees of one recipe: owners, devices.
fn maker() -> String {
    format!("airtight image {FORMAT} {}", nix::unistd::geteuid())
}

/// A SHA-256 over the parts, each with its length before it.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex(hash)
}
