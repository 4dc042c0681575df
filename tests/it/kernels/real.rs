//! Debian's own kernels, as `ci/kernels.sh` fetches them.
//!
//! `AIRTIGHT_DEBIAN_KERNELS` names the folder with the packages; then they must be there. Where it is not set, they are looked for in
//! `~/.cache/airtight-kernels`, and the tests tell that they are skipped where there are none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use airtight::vm::kernel::Kernel;

use super::hostile::Numbers;
use super::kernels;

/// Everything that is asked of them, twice: the second time nothing is unpacked.
#[test]
fn debian_kernels_are_taken_out_of_their_packages() {
    let Some(packages) = packages() else { return };
    let cache = tempfile::tempdir().unwrap();
    for path in packages {
        let word = path.to_str().unwrap();
        let times = [(); 2].map(|()| {
            let start = Instant::now();
            let found = kernels(&[word], None, cache.path()).unwrap();
            assert_eq!(found.len(), 1, "{word}");
            let taken_out = start.elapsed();
            check(&found[0], word);
            (taken_out, start.elapsed())
        });
        eprintln!(
            "{word}: the kernel after {:?}, the modules after {:?}; again {:?}, {:?}",
            times[0].0, times[0].1, times[1].0, times[1].1
        );
    }
}

fn check(kernel: &Kernel, word: &str) {
    assert!(word.contains(&kernel.release) && kernel.name == kernel.release, "{word}: {}", kernel.release);
    let start = |path: &Path| fs::read(path).unwrap()[..4].to_vec();
    assert_eq!(start(kernel.entry.as_ref().unwrap()), b"\x7fELF");
    assert!(start(&kernel.image).starts_with(b"MZ"));
    let config = kernel.config.as_ref().unwrap();
    assert!(config.lines().any(|line| line == "CONFIG_PVH=y"), "{word}");
    let modules = kernel.modules(&["overlay", "ext4", "fuse", "bridge", "nothing-like-it"]).unwrap();
    assert_eq!(modules.missing, ["nothing_like_it"]);
    // What is a module is for the configuration to say.
    for (name, option) in
        [("overlay", "OVERLAY_FS"), ("ext4", "EXT4_FS"), ("fuse", "FUSE_FS"), ("bridge", "BRIDGE")]
    {
        let is = |value| config.lines().any(|line| line == format!("CONFIG_{option}={value}"));
        let loaded = modules.load.iter().any(|module| module.name == name);
        let built_in = modules.built_in.iter().any(|built_in| built_in == name);
        assert_eq!((loaded, built_in), (is("m"), is("y")), "{name} of {word}");
    }
    let at = |name: &str| modules.load.iter().position(|module| module.name == name);
    assert!(at("stp") < at("bridge") && at("llc") < at("stp"), "{modules:?}");
    assert!(modules.load.iter().all(|module| module.bytes.starts_with(b"\x7fELF")));
}

/// What was unpacked starts, and stops for want of a root file system.
#[test]
fn debian_kernels_start_by_their_entry() {
    let Some(packages) = packages() else { return };
    let Some(qemu) = airtight::sandbox::program::find("qemu-system-x86_64") else {
        eprintln!("skipped: program qemu-system-x86_64: it is not on the PATH");
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    for path in packages {
        let kernel = kernels(&[path.to_str().unwrap()], None, cache.path()).unwrap().remove(0);
        let output = Command::new("timeout")
            .arg("120")
            .arg(&qemu)
            .args([
                "-accel",
                "tcg",
                "-M",
                "q35",
                "-m",
                "512",
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
            ])
            .args(["-serial", "stdio", "-append", "console=ttyS0 panic=-1", "-kernel"])
            .arg(kernel.entry.as_ref().unwrap())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("Linux version {} ", kernel.release)), "{}: {said}", path.display());
        assert!(said.contains("Unable to mount root fs"), "{}: {said}", path.display());
    }
}

/// Cut and garbled, the real ones are errors or kernels as well.
#[test]
fn damaged_debian_kernels_harm_nobody() {
    let Some(packages) = packages() else { return };
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let damaged = folder.path().join("damaged");
    let mut numbers = Numbers::new();
    for path in packages {
        let kernel = kernels(&[path.to_str().unwrap()], None, cache.path()).unwrap().remove(0);
        let image = fs::read(&kernel.image).unwrap();
        for round in 0..6 {
            let mut bytes = image.clone();
            match round {
                0..=1 => bytes.truncate(numbers.below(image.len() / 2)),
                2..=3 => (0..8).for_each(|_| bytes[numbers.below(0x800)] ^= 1 << numbers.below(8)),
                _ => bytes[numbers.below(image.len())] ^= 1 << numbers.below(8),
            }
            fs::write(&damaged, &bytes).unwrap();
            let found = kernels(&[damaged.to_str().unwrap()], None, cache.path());
            assert!(round > 1 || found.is_err(), "{}", path.display());
        }
    }
}

/// The packages with a kernel in them, if there are any.
pub(super) fn packages() -> Option<Vec<PathBuf>> {
    let (folder, entries) = folder();
    let has_kernel = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        let kind = name.starts_with("linux-image-") || name.starts_with("linux-binary-");
        kind && name.ends_with(".deb")
    };
    let mut packages: Vec<PathBuf> = entries.into_iter().filter(has_kernel).collect();
    packages.sort();
    if packages.is_empty() {
        skip(&folder, "kernels.sh");
        return None;
    }
    Some(packages)
}

/// The least kernel, if there is one.
pub(super) fn small() -> Option<PathBuf> {
    let (folder, entries) = folder();
    let is_small = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("small-");
    let images = entries.into_iter().filter(is_small).map(|path| path.join("bzImage"));
    let found = images
        .filter(|image| image.is_file())
        .max_by_key(|image| image.metadata().unwrap().modified().unwrap());
    if found.is_none() {
        skip(&folder, "small-kernel.sh");
    }
    found
}

const VARIABLE: &str = "AIRTIGHT_DEBIAN_KERNELS";

/// Where kernels lie, and what lies there.
fn folder() -> (PathBuf, Vec<PathBuf>) {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/airtight-kernels"));
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from).or_else(home).unwrap_or_default();
    let entries = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    (folder, entries)
}

/// What is named must be there.
fn skip(folder: &Path, script: &str) {
    let folder = folder.display();
    assert!(
        std::env::var_os(VARIABLE).is_none(),
        "{VARIABLE} names {folder}, which lacks what ci/{script} makes"
    );
    eprintln!("skipped: kernels: {folder} lacks what ci/{script} makes");
}
