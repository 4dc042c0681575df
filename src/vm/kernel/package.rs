//! What is in a kernel's package, and in those beside it that belong to it.

use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::copy::copy;
use super::deb::{Next, Package};
use super::error::{KernelError, Result, damaged, io};
use super::vmlinux::LONGEST_CONFIG;
use crate::image::Stamp;

/// The largest kernel of a package in bytes.
const LARGEST_KERNEL: u64 = 512 << 20;

/// Packages that hold a part of a kernel, and never the kernel itself: Debian's split ones, and Ubuntu's.
const PARTS: [&str; 4] = ["linux-modules", "linux-modules-extra", "linux-base", "linux-headers"];

/// What was taken out of a package.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Taken {
    /// The digest of its kernel, which is in the cache.
    kernel: Option<String>,
    /// Its configuration.
    pub(super) config: Option<String>,
}

/// What a path in a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Kernel,
    Config,
    BuiltIn,
    /// A module, by its file's name.
    Module(&'a str),
    Other,
}

impl<'a> Part<'a> {
    /// `path` begins at the root, without `usr/`.
    pub(super) fn of(path: &'a str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let below = path.strip_prefix("lib/modules/").map(|rest| rest.matches('/').count());
        match (path.strip_prefix("boot/"), below) {
            (Some(file), _) if file.starts_with("vmlinuz") => Self::Kernel,
            (Some(file), _) if file.starts_with("config-") => Self::Config,
            (_, Some(1)) if name == "vmlinuz" => Self::Kernel,
            (_, Some(1)) if name == "config" => Self::Config,
            (_, Some(1)) if name == "modules.builtin" => Self::BuiltIn,
            (_, Some(1..)) if super::modules::is_module(name) => Self::Module(name),
            _ => Self::Other,
        }
    }
}

/// The kernel in a package, as a file in the cache, and what else was found on the way to it.
///
/// # Errors
/// There is none in it, or it cannot be read.
pub(super) fn kernel(path: &Path, cache: &Cache) -> Result<(PathBuf, Taken)> {
    let taken = take(path, cache)?;
    let Some(digest) = &taken.kernel else { return Err(without_kernel(path)) };
    let file = cache.file(digest).ok_or_else(|| damaged(path, "its kernel has gone from the cache"))?;
    Ok((file, taken))
}

/// What was taken out of a package, now or by an earlier run.
pub(super) fn take(path: &Path, cache: &Cache) -> Result<Taken> {
    let stamp = Stamp::of(path).text();
    let whole = |taken: &Taken| taken.kernel.as_ref().is_none_or(|digest| cache.file(digest).is_some());
    if let Some(taken) = cache.recall("package", &stamp).filter(whole) {
        return Ok(taken);
    }
    let taken = take_out(path, cache)?;
    cache.record("package", &stamp, &taken)?;
    Ok(taken)
}

/// Goes through the package until it has the kernel. What is in it is in the order of its paths, so that the configuration comes before the
/// kernel, and both before the modules: at the first module there is nothing more to be had but a kernel among them.
fn take_out(path: &Path, cache: &Cache) -> Result<Taken> {
    let mut taken = Taken::default();
    let only_parts = is_part(path);
    Package::at(path).walk(|name, size, content| {
        match Part::of(name) {
            Part::Kernel if taken.kernel.is_none() => taken.kernel = Some(keep(path, size, content, cache)?),
            Part::Config => taken.config = text(content),
            Part::Module(_) if taken.kernel.is_some() || only_parts => return Ok(Next::Stop),
            _ => {}
        }
        Ok(Next::Entry)
    })?;
    Ok(taken)
}

fn keep(path: &Path, size: u64, content: &mut dyn Read, cache: &Cache) -> Result<String> {
    if size > LARGEST_KERNEL {
        let why = format!("the kernel in it has {size} bytes");
        return Err(KernelError::Bomb { path: path.to_owned(), why });
    }
    cache.keep(|writer| {
        let copied = copy(content, writer, path, cache.folder())?;
        if copied == size { Ok(()) } else { Err(damaged(path, "it ends within its kernel")) }
    })
}

/// A configuration or a list; one that cannot be read counts as none.
pub(super) fn text(content: &mut dyn Read) -> Option<String> {
    let mut text = String::new();
    content.take(LONGEST_CONFIG).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The error about a package without a kernel, which knows the package that has it.
fn without_kernel(path: &Path) -> KernelError {
    let mend = match binary(path) {
        Some(name) => format!(": it is in the package {name}, which this one depends on; give that"),
        None => ": give the package linux-image-… or linux-binary-…".to_owned(),
    };
    KernelError::Package { path: path.to_owned(), mend }
}

/// The package that has the kernel, of one that only depends on it.
pub(super) fn binary(path: &Path) -> Option<String> {
    let depends = Package::at(path).field("Depends").ok().flatten()?;
    let names = || depends.split([',', '|']).filter_map(|one| one.split_whitespace().next());
    let begins = |start: &'static str| names().find(move |name| name.starts_with(start));
    begins("linux-binary-").or_else(|| begins("linux-image-")).map(str::to_owned)
}

/// Whether a package says that it holds a part of a kernel, and not the kernel.
pub(super) fn is_part(path: &Path) -> bool {
    let name = Package::at(path).field("Package").ok().flatten().unwrap_or_default();
    PARTS.iter().any(|part| name.strip_prefix(part).is_some_and(|rest| rest.starts_with('-')))
}

/// The packages beside this one that hold other parts of the same kernel: of the same version, where there are several.
pub(super) fn siblings(path: &Path, release: &str) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let version = own.split_once('_').map_or("", |(_, version)| version);
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| has_name(name))
        .collect();
    names.sort_by(|left, right| super::release::compare(left, right));
    let best = |part: &str| {
        let of_part = |name: &&String| name.starts_with(&format!("{part}-{release}_"));
        let mut candidates = names.iter().filter(of_part);
        let same = candidates.clone().find(|name| name.ends_with(&format!("_{version}")));
        same.or_else(|| candidates.next_back())
    };
    PARTS.iter().take(3).filter_map(|part| best(part)).map(|name| folder.join(name)).collect()
}

/// Whether a file is called as packages are. Which it is, its content says.
pub(super) fn has_name(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "deb")
}

/// The modules of a package, copied to a file without a name, from which they are read in any order.
#[derive(Debug)]
pub(super) struct Spool {
    file: std::fs::File,
    /// File name, start, length.
    pub(super) modules: Vec<(String, u64, u64)>,
    /// The list of what is built in, if the package has it.
    pub(super) built_in: Option<String>,
}

impl Spool {
    /// Goes through a whole package.
    pub(super) fn of(path: &Path, cache: &Cache) -> Result<Self> {
        let mut spool = Self { file: cache.spool()?, modules: Vec::new(), built_in: None };
        let mut at = 0;
        Package::at(path).walk(|name, size, content| {
            match Part::of(name) {
                Part::Module(name) => {
                    let copied = copy(content, &mut spool.file, path, cache.folder())?;
                    if copied != size {
                        return Err(damaged(path, format!("it ends within the module {name}")));
                    }
                    spool.modules.push((name.to_owned(), at, size));
                    at += size;
                }
                Part::BuiltIn => spool.built_in = text(content),
                _ => {}
            }
            Ok(Next::Entry)
        })?;
        Ok(spool)
    }

    /// The bytes of a module as they were in the package.
    pub(super) fn read(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        let spool = Path::new("the modules of a package");
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(at)).map_err(io("lseek", spool))?;
        (&self.file).take(length).read_to_end(&mut bytes).map_err(io("read", spool))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_part_of_a_kernel() {
        let check = |path, expected| assert_eq!(Part::of(path), expected, "{path}");
        check("boot/vmlinuz-6.1.0-56-amd64", Part::Kernel);
        check("lib/modules/7.2.13/vmlinuz", Part::Kernel);
        check("lib/modules/7.2.13/kernel/vmlinuz", Part::Other);
        check("boot/config-6.1.0", Part::Config);
        check("lib/modules/7.2.13/config", Part::Config);
        check("lib/modules/6.1.0/modules.builtin", Part::BuiltIn);
        check("lib/modules/6.1.0/kernel/fs/fuse/fuse.ko.xz", Part::Module("fuse.ko.xz"));
        check("lib/modules/6.1.0/kernel/fs/fuse/fuse.kobold", Part::Other);
        check("share/doc/fuse.ko", Part::Other);
    }
}
