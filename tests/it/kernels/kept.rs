//! What is kept in the cache: it is used again, and not believed when it was touched.

use std::fs;
use std::path::{Path, PathBuf};

use super::kernels;
use super::make::{Packing, RELEASE, bzimage, module, package, vmlinux};

/// A folder with a package, of which `m` and `n` are modules.
fn with_package() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linux.deb");
    let kernel = bzimage(&vmlinux(true), Packing::Xz);
    let below = |name: &str| format!("./lib/modules/{RELEASE}/kernel/{name}.ko");
    let (boot, first, second) = (format!("./boot/vmlinuz-{RELEASE}"), below("m"), below("n"));
    let (one, other) = (module("n"), module(""));
    let files: [(&str, &[u8]); 3] = [(&boot, &kernel), (&first, &one), (&second, &other)];
    fs::write(&path, package("Package: x\n", &files, Packing::Gzip)).unwrap();
    let word = path.to_str().unwrap().to_owned();
    (folder, word)
}

fn files(cache: &Path) -> Vec<PathBuf> {
    let folders = ["files", "records"].map(|folder| fs::read_dir(cache.join(folder)).unwrap());
    let mut files: Vec<PathBuf> = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// All that a kernel is asked for, as it must be whatever has become of the cache.
fn check(word: &str, cache: &Path) {
    let kernel = kernels(&[word], None, cache).unwrap().remove(0);
    assert_eq!(fs::read(&kernel.image).unwrap(), bzimage(&vmlinux(true), Packing::Xz));
    assert_eq!(fs::read(kernel.entry.as_ref().unwrap()).unwrap(), vmlinux(true));
    let modules = kernel.modules(&["m"]).unwrap();
    let bytes: Vec<_> = modules.load.iter().map(|module| module.bytes.clone()).collect();
    assert_eq!(bytes, [module(""), module("n")]);
}

#[test]
fn what_was_unpacked_is_used_again() {
    let ((_folder, word), cache) = (with_package(), tempfile::tempdir().unwrap());
    check(&word, cache.path());
    let before: Vec<_> =
        files(cache.path()).iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect();
    check(&word, cache.path());
    let after: Vec<_> =
        files(cache.path()).iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect();
    assert_eq!(before, after);
}

/// Each file of the cache in turn is cut, garbled, emptied, removed; all of them together too.
#[test]
fn what_was_damaged_is_made_anew() {
    let ((_folder, word), cache) = (with_package(), tempfile::tempdir().unwrap());
    check(&word, cache.path());
    let damages: [fn(&Path); 4] = [
        |path| fs::write(path, &fs::read(path).unwrap()[1..]).unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path| fs::write(path, "").unwrap(),
        |path| fs::remove_file(path).unwrap(),
    ];
    for damage in damages {
        for path in files(cache.path()) {
            damage(&path);
            check(&word, cache.path());
        }
        for path in files(cache.path()) {
            damage(&path);
        }
        check(&word, cache.path());
    }
}

#[test]
fn another_package_in_its_place_is_another_kernel() {
    let ((_folder, word), cache) = (with_package(), tempfile::tempdir().unwrap());
    check(&word, cache.path());
    let mut kernel = vmlinux(true);
    *kernel.last_mut().unwrap() = 0;
    fs::write(&word, bzimage(&kernel, Packing::Xz)).unwrap();
    let found = kernels(&[&word], None, cache.path()).unwrap().remove(0);
    assert_eq!(fs::read(found.entry.unwrap()).unwrap(), kernel);
}

#[test]
fn runs_at_once_share_a_cache() {
    let ((_folder, word), cache) = (with_package(), tempfile::tempdir().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..4).for_each(|_| check(&word, cache.path())));
        }
    });
    let left = files(cache.path()).into_iter().filter(|path| path.to_string_lossy().contains("making"));
    assert_eq!(left.count(), 0);
}

#[test]
fn what_a_killed_run_has_left_is_swept() {
    let ((_folder, word), cache) = (with_package(), tempfile::tempdir().unwrap());
    check(&word, cache.path());
    let [old, new] = ["old", "new"].map(|name| cache.path().join("files").join(format!(".making-{name}")));
    for path in [&old, &new] {
        fs::write(path, "half").unwrap();
    }
    let day = std::time::Duration::from_hours(24);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - day).unwrap();
    check(&word, cache.path());
    assert!(!old.exists() && new.exists());
}
