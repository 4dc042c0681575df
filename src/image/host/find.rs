//! Finds the host's programs and what they need, before anything is made.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::image::elf::{closure, is_elf};
use crate::image::error::{ImageError, Result};
use crate::image::recipe::HostSource;
use crate::image::report::Report;
use crate::image::stamp::Stamp;

/// Where system programs are on a host whose ordinary users do not have them on their PATH: `chroot` in Debian.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program of the recipe, as it is on this host.
#[derive(Debug, Clone)]
struct Found {
    /// Its name in the recipe.
    name: String,
    /// Where it is; nothing if the host lacks it.
    at: Option<PathBuf>,
    optional: bool,
}

/// Everything that goes into an image.
#[derive(Debug)]
pub(in super::super) struct Plan {
    /// Name and host path of each program.
    pub(super) programs: Vec<(String, PathBuf)>,
    /// The loaders, by the path that programs name.
    pub(super) interpreters: Vec<PathBuf>,
    /// The libraries: host path by name.
    pub(super) libraries: BTreeMap<String, PathBuf>,
    /// What is missing.
    pub(super) report: Report,
}

impl Plan {
    /// The files that go into the image, as they stand.
    pub(in super::super) fn stamps(&self) -> Vec<Stamp> {
        let programs = self.programs.iter().map(|(_, path)| path);
        programs
            .chain(&self.interpreters)
            .chain(self.libraries.values())
            .map(|path| Stamp::of(path))
            .collect()
    }

    /// The names under which the files go into the image.
    pub(in super::super) fn names(&self) -> String {
        format!("{:?} {:?} {:?}", self.programs, self.libraries, self.report)
    }
}

/// The directories in which programs are looked for. As long as none of them changes, each name leads where it led: a new file
/// in a directory changes the directory's times.
pub(in super::super) fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all: Vec<PathBuf> = std::env::split_paths(&path).chain(std::env::split_paths(SYSTEM)).collect();
    // A relative directory means another place in each run.
    all.retain(|directory| directory.is_absolute());
    all.dedup();
    all
}

fn find(source: &HostSource) -> Vec<Found> {
    let directories = directories();
    let required = source.programs.iter().map(|name| (name, false));
    let all = required.chain(source.optional.iter().map(|name| (name, true)));
    all.map(|(name, optional)| Found { name: name.clone(), at: look(name, &directories), optional }).collect()
}

/// The first executable file of this name.
fn look(name: &str, directories: &[PathBuf]) -> Option<PathBuf> {
    directories.iter().map(|directory| directory.join(name)).find(|path| {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

/// Says why the image cannot be made here, if a program that it must have is missing.
pub(in super::super) fn available(source: &HostSource) -> std::result::Result<(), String> {
    find(source).iter().try_for_each(|found| {
        if found.at.is_none() && !found.optional {
            Err(missing(&found.name, source).to_string())
        } else {
            Ok(())
        }
    })
}

/// Follows the programs to all that they need.
pub(in super::super) fn plan(source: &HostSource) -> Result<Plan> {
    let mut plan = Plan {
        programs: Vec::new(),
        interpreters: Vec::new(),
        libraries: BTreeMap::new(),
        report: Report::default(),
    };
    for program in &find(source) {
        match add(&mut plan, program, source) {
            Ok(()) => {}
            Err(error) if program.optional => {
                plan.report.note(&program.name, "optional program", error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(plan)
}

fn add(plan: &mut Plan, program: &Found, source: &HostSource) -> Result<()> {
    let path = program.at.as_ref().ok_or_else(|| missing(&program.name, source))?;
    if !is_elf(path) {
        return Err(ImageError::Unfit { path: path.clone(), why: what_else(path) });
    }
    let needs = closure(path)?;
    plan.programs.push((program.name.clone(), path.clone()));
    plan.interpreters.extend(needs.interpreter.filter(|path| !plan.interpreters.contains(path)));
    for library in needs.libraries {
        plan.libraries.entry(library.name).or_insert(library.path);
    }
    Ok(())
}

/// A script would need its interpreter and all that it calls, which nothing lists.
fn what_else(path: &Path) -> String {
    let mut start = String::new();
    let read = std::fs::File::open(path).map(|file| file.take(120).read_to_string(&mut start));
    match start.lines().next() {
        Some(line) if read.is_ok() && line.starts_with("#!") => format!("it is a script ({line})"),
        _ => "it is not an ELF program".to_owned(),
    }
}

fn missing(name: &str, source: &HostSource) -> ImageError {
    let mend = source
        .package
        .as_ref()
        .map(|package| format!(": install Debian's package {package}"))
        .unwrap_or_default();
    ImageError::Program { program: name.to_owned(), mend }
}
