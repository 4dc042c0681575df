//! From the words of a command line, and a list, to kernels.

use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::described::Kernel;
use super::error::{KernelError, Result, io};
use super::folder;
use super::format::Format;
use super::image::{head, open};
use super::list::{self, Entry};
use super::package;
use super::release::compare;
use crate::sys::Failure;

/// The word for the kernel that runs this program.
pub(super) const HOST: &str = "host";

/// A pattern does not match more files than this.
const MATCHES: usize = 1000;

/// A kernel to hold claims against.
#[derive(Debug, Clone)]
pub enum Choice {
    /// The one that runs this program.
    Host,
    /// One that is booted in a VM.
    Vm(Box<Kernel>),
}

impl Choice {
    /// Its name for columns and tests.
    pub fn name(&self) -> &str {
        match self {
            Self::Host => HOST,
            Self::Vm(kernel) => &kernel.name,
        }
    }
}

/// The kernels that are asked for, in order, each once.
///
/// A word is `host`, the name of a kernel in the list, a file, a folder, or a pattern (`*`, `?`, `[…]`) of them. Without words, all of the list
/// is asked for; with words, the list says what names mean. A file is what its content says: a bzImage, a vmlinux, a unified kernel image, one of
/// these compressed, or a Debian package. A folder is an unpacked package, a build tree, or one like `/boot`. `cache` is a folder that belongs
/// to the user; what is taken out of packages and images is kept there.
///
/// Two files of one content, with the same further arguments and cgroups, are one kernel. Kernels that differ and have the same release get a piece of
/// their digest to their names.
///
/// # Errors
/// Something of it is not there, is no kernel, or cannot be booted; the list is wrong.
pub fn find(words: &[String], list: Option<&Path>, cache: &Path) -> Result<Vec<Choice>> {
    let cache = Cache::at(cache)?;
    let entries = list.map(|path| list::load(path, &cache)).transpose()?.unwrap_or_default();
    let mut choices = Vec::new();
    if words.is_empty() {
        choices.extend(entries.iter().flat_map(|entry| entry.choices.iter().cloned()));
    }
    for word in words {
        choices.extend(meant(word, &entries, &cache)?);
    }
    Ok(with_names(each_once(choices)))
}

fn meant(word: &str, entries: &[Entry], cache: &Cache) -> Result<Vec<Choice>> {
    if word == HOST {
        return Ok(vec![Choice::Host]);
    }
    let named: Vec<&Entry> = entries.iter().filter(|entry| entry.name.as_deref() == Some(word)).collect();
    if !named.is_empty() {
        return Ok(named.into_iter().flat_map(|entry| entry.choices.iter().cloned()).collect());
    }
    let found = kernels(word, Path::new(""), cache).map_err(|error| match error {
        KernelError::Nothing { word, mend } if mend.is_empty() => {
            let names = entries.iter().filter_map(|entry| entry.name.as_deref());
            let known: Vec<&str> = names.collect();
            let mend = if known.is_empty() {
                mend
            } else {
                format!(": {}", crate::spec::one_of(&word, known.iter().copied()))
            };
            KernelError::Nothing { word, mend }
        }
        other => other,
    })?;
    Ok(found.into_iter().map(|kernel| Choice::Vm(Box::new(kernel))).collect())
}

/// The kernels at a path or a pattern, which are relative to `folder`.
pub(super) fn kernels(word: &str, folder: &Path, cache: &Cache) -> Result<Vec<Kernel>> {
    let path = folder.join(word);
    if path.exists() {
        return at(&path, cache);
    }
    if !word.contains(['*', '?', '[']) {
        // Of what cannot be looked at, the reason is told; what is only absent may be a name that is spelled wrong.
        return match std::fs::metadata(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("stat", &path)(error)),
            _ => Err(KernelError::Nothing { word: word.to_owned(), mend: unexpanded(word) }),
        };
    }
    let paths = matches(&path)?;
    let only = paths.len() == 1;
    let mut found = Vec::new();
    // Beside a kernel's package lie those of its modules, which a pattern matches as well.
    for path in paths.iter().filter(|path| only || !is_companion(path, &paths)) {
        found.extend(at(path, cache)?);
    }
    if found.is_empty() {
        let mend = "there are packages of modules only; the kernel is in linux-image-… or linux-binary-…";
        return Err(KernelError::NoMatch { pattern: path.display().to_string(), mend: mend.to_owned() });
    }
    Ok(found)
}

fn unexpanded(word: &str) -> String {
    if word.starts_with('~') || word.contains('$') {
        return ": `~` and `$` stand for themselves here, write the path out".to_owned();
    }
    String::new()
}

fn matches(pattern: &Path) -> Result<Vec<PathBuf>> {
    let text = pattern.display().to_string();
    let no_match = |mend: String| KernelError::NoMatch { pattern: text.clone(), mend };
    let paths = glob::glob(&text).map_err(|error| no_match(format!("it is no pattern ({error})")))?;
    let found: std::result::Result<Vec<PathBuf>, glob::GlobError> = paths.take(MATCHES + 1).collect();
    // A folder that may not be read may have kernels: they would be left out in silence.
    let mut paths = found.map_err(|error| Failure::from_io("readdir", &[&error.path()], error.error()))?;
    match paths.len() {
        0 => return Err(no_match(format!("look with `ls {}`", parent_of(&text)))),
        count if count > MATCHES => return Err(no_match(format!("it matches more than {MATCHES} files"))),
        _ => {}
    }
    paths.sort_by(|left, right| compare(&left.to_string_lossy(), &right.to_string_lossy()));
    Ok(paths)
}

/// The folder before the first part of a pattern that is not plain.
fn parent_of(pattern: &str) -> &str {
    let plain = &pattern[..pattern.find(['*', '?', '[']).unwrap_or(pattern.len())];
    plain.rfind('/').map_or(".", |slash| &plain[..=slash])
}

/// Whether a package is there for another one of these.
fn is_companion(path: &Path, all: &[PathBuf]) -> bool {
    is_package(path).unwrap_or(false)
        && (package::is_part(path) || package::binary(path).is_some_and(|name| has_package(&name, all)))
}

fn has_package(name: &str, all: &[PathBuf]) -> bool {
    let start = format!("{name}_");
    all.iter().any(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&start)))
}

fn is_package(path: &Path) -> Result<bool> {
    Ok(Format::of(&head(&open(path)?).map_err(io("read", path))?) == Format::Debian)
}

fn at(path: &Path, cache: &Cache) -> Result<Vec<Kernel>> {
    if path.is_dir() {
        return folder::kernels(path)?.iter().map(|path| Kernel::of_file(path, cache)).collect();
    }
    let kernel =
        if is_package(path)? { Kernel::of_package(path, cache) } else { Kernel::of_file(path, cache) };
    kernel.map(|kernel| vec![kernel])
}

fn each_once(choices: Vec<Choice>) -> Vec<Choice> {
    let mut kept: Vec<Choice> = Vec::new();
    for choice in choices {
        if !kept.iter().any(|other| is_same(other, &choice)) {
            kept.push(choice);
        }
    }
    kept
}

fn is_same(left: &Choice, right: &Choice) -> bool {
    match (left, right) {
        (Choice::Host, Choice::Host) => true,
        (Choice::Vm(left), Choice::Vm(right)) => {
            left.digest == right.digest && left.append == right.append && left.cgroups == right.cgroups
        }
        _ => false,
    }
}

/// Tells apart those of one name: a release can be built twice.
fn with_names(mut choices: Vec<Choice>) -> Vec<Choice> {
    let names: Vec<String> = choices.iter().map(|choice| choice.name().to_owned()).collect();
    for choice in &mut choices {
        let Choice::Vm(kernel) = choice else { continue };
        if names.iter().filter(|name| **name == kernel.name).count() > 1 {
            let told = format!("{}\n{:?}{:?}", kernel.digest, kernel.append, kernel.cgroups);
            let with_arguments = super::cache::digest_of(told.as_bytes());
            kernel.name = format!("{} ({})", kernel.name, &with_arguments[..8]);
        }
    }
    choices
}
