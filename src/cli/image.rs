//! `airtight image`: the images in the cache.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::image::{ImageError, Rootfs, Store};

/// `airtight image …`
#[derive(Debug, Args)]
pub struct Image {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the images that can be asked for, and those in the cache
    Ls,
    /// Build images now, rather than at their first use
    Build {
        /// Recipes, or paths to archives or OCI layouts
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Take an archive or OCI layout into the cache under a name
    Import {
        /// A root filesystem tar, a `docker save` archive, an OCI layout
        path: PathBuf,
        /// The name for specs; by default the file's, up to its first dot
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove images from the cache
    Rm {
        /// Their names, as `ls` shows them
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Performs the command, and writes what it has to say to `out`.
///
/// # Errors
/// An image cannot be listed, built, imported or removed; or `out` cannot be written to.
pub fn run(image: &Image, out: &mut dyn Write) -> Result<(), ImageError> {
    let store = Store::open()?;
    match &image.action {
        Action::Ls => list(&store, out),
        Action::Build { names } => names.iter().try_for_each(|name| {
            let rootfs = store.rootfs(name, Path::new("."))?;
            tell(name, &rootfs, out)
        }),
        Action::Import { path, name } => {
            let name = name.clone().unwrap_or_else(|| default_name(path));
            let rootfs = store.import(path, &name)?;
            tell(&name, &rootfs, out)
        }
        Action::Rm { names } => names.iter().try_for_each(|name| {
            let removed = store.remove(name)?;
            let plural = if removed.images == 1 { "" } else { "s" };
            say(out, &format!("{name}: {} image{plural} removed", removed.images))
        }),
    }
}

fn list(store: &Store, out: &mut dyn Write) -> Result<(), ImageError> {
    let all = store.list()?;
    let width = all.iter().map(|listed| listed.name.chars().count()).max().unwrap_or_default();
    for listed in all {
        let digest =
            listed.digest.as_deref().map_or("not built", |digest| digest.get(..12).unwrap_or(digest));
        say(
            out,
            format!("{:width$}  {:8}  {digest:12}  {}", listed.name, listed.source, listed.about).trim_end(),
        )?;
    }
    Ok(())
}

/// Where the image is, and what it lacks.
fn tell(name: &str, rootfs: &Rootfs, out: &mut dyn Write) -> Result<(), ImageError> {
    say(out, &format!("{name}  {}  {}", rootfs.digest.get(..12).unwrap_or_default(), rootfs.path.display()))?;
    rootfs.report.missing.iter().try_for_each(|missing| say(out, &format!("  not made: {missing}")))
}

fn default_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Names in a report come from archives: control characters would steer a terminal.
fn say(out: &mut dyn Write, line: &str) -> Result<(), ImageError> {
    let clean: String =
        line.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    writeln!(out, "{clean}")
        .map_err(|error| crate::sys::Failure::from_io("write", &[&"standard output"], &error).into())
}
