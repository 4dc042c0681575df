//! What kernels are in a folder, and what lies beside a kernel's file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::{KernelError, Result, io, not_kernel};
use super::image::open;
use super::release::compare;
use super::shelf::{Source, has_modules};
use super::vmlinux::LONGEST_CONFIG;

/// Where a build leaves the boot image; the second is a link that older trees have.
const BZIMAGES: [&str; 2] = ["arch/x86/boot/bzImage", "arch/x86_64/boot/bzImage"];

/// So many entries of a folder are looked at.
const ENTRIES: usize = 10_000;

/// The kernels' files in a folder: of a build tree, of an unpacked package, or of a folder like `/boot`.
///
/// # Errors
/// There are none in it.
pub(super) fn kernels(folder: &Path) -> Result<Vec<PathBuf>> {
    if let Some(built) = BZIMAGES.iter().map(|path| folder.join(path)).find(|path| path.is_file()) {
        return Ok(vec![built]);
    }
    let mut found = files(folder, |name| name == "vmlinuz" || name.starts_with("vmlinuz-"))?;
    for boot in ["boot", "usr/boot"] {
        found.extend(files(&folder.join(boot), |name| name.starts_with("vmlinuz-")).unwrap_or_default());
    }
    if found.is_empty() {
        for modules in ["lib/modules", "usr/lib/modules"] {
            let releases = files(&folder.join(modules), |_| true).unwrap_or_default();
            found.extend(releases.into_iter().map(|release| release.join("vmlinuz")));
        }
    }
    found.retain(|path| path.is_file());
    if found.is_empty() && folder.join("vmlinux").is_file() {
        found.push(folder.join("vmlinux"));
    }
    if found.is_empty() { Err(without_kernel(folder)) } else { Ok(found) }
}

/// The error about a folder without a kernel, which knows what it looks like.
fn without_kernel(folder: &Path) -> KernelError {
    let shown = folder.display();
    if folder.join("Kconfig").is_file() && folder.join("Makefile").is_file() {
        return not_kernel(folder, "the source of a kernel that is not built", "run `make bzImage` in it");
    }
    if files(folder, super::package::has_name).is_ok_and(|packages| !packages.is_empty()) {
        return not_kernel(folder, "a folder of packages", format!("give `{shown}/linux-*.deb`"));
    }
    let mend = "give a folder with boot/vmlinuz-…, lib/modules/…/vmlinuz or arch/x86/boot/bzImage in it";
    not_kernel(folder, "a folder without a kernel", mend)
}

/// The entries of a folder with such names, in the order of their versions.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(io("readdir", folder))?;
    let names = entries.take(ENTRIES).flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| wanted(name)).collect();
    names.sort_by(|left, right| compare(left, right));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// The modules that belong to the kernel in this file: in the tree in which it was built, beside it, or in the `lib/modules` of the root to
/// whose `boot` it belongs.
pub(super) fn modules_beside(image: &Path, release: &str) -> Source {
    if let Some(tree) = tree(image) {
        return Source::Tree(tree);
    }
    let parent = parent(image);
    let roots = [parent.join(".."), parent.clone(), parent.join("../..")];
    let below = roots
        .iter()
        .flat_map(|root| ["lib/modules", "usr/lib/modules"].map(|modules| root.join(modules).join(release)));
    let is_own = image.file_name().is_some_and(|name| name == "vmlinuz");
    let own = is_own.then(|| parent.clone()).into_iter();
    own.chain(below).find(|folder| has_modules(folder)).map_or(Source::None, Source::Folder)
}

/// The modules in a folder that was given: it is one of modules, a build tree, or a root with `lib/modules/RELEASE`.
///
/// # Errors
/// There are none in it.
pub(super) fn modules_in(folder: &Path, release: &str) -> Result<Source> {
    if folder.is_file() {
        return Ok(Source::Packages(vec![folder.to_owned()]));
    }
    if folder.join("modules.order").is_file() && folder.join("Makefile").is_file() {
        return Ok(Source::Tree(folder.to_owned()));
    }
    let below = ["", "lib/modules", "usr/lib/modules"].map(|modules| folder.join(modules).join(release));
    let found = below.into_iter().chain([folder.to_owned()]).find(|folder| has_modules(folder));
    found.map(Source::Folder).ok_or_else(|| KernelError::NoMatch {
        pattern: folder.display().to_string(),
        mend: format!("it has no modules of {release}; give the folder lib/modules/{release}"),
    })
}

/// The configuration of the kernel in this file, from beside it.
pub(super) fn config_beside(image: &Path, release: &str) -> Option<String> {
    let parent = parent(image);
    let of_tree = tree(image).map(|tree| tree.join(".config"));
    let beside = [parent.join(format!("config-{release}")), parent.join("config")];
    let path = of_tree.into_iter().chain(beside).find(|path| path.is_file())?;
    let mut text = String::new();
    open(&path).ok()?.take(LONGEST_CONFIG).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The tree in which the kernel in this file was built, if it lies there: `arch/x86/boot/bzImage`, or `vmlinux` at its root.
fn tree(image: &Path) -> Option<PathBuf> {
    let tree = match image.file_name()?.to_str()? {
        "bzImage" => parent(image).join("../../.."),
        "vmlinux" => parent(image),
        _ => return None,
    };
    tree.join(".config").is_file().then_some(tree)
}

/// The folder of a file; that of a bare name is the current one.
fn parent(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}
