//! Folders, trees and patterns: which kernels are there, and which modules go with them.

use std::fs;
use std::path::Path;

use airtight::vm::kernel::{Choice, Kernel, find};

use super::make::{Packing, RELEASE, bzimage, module, package, packed, vmlinux};
use super::{found, kernels};

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn image() -> Vec<u8> {
    bzimage(&vmlinux(true), Packing::Gzip)
}

/// Modules below a folder: `a` needs `b` and `c-d`, which needs `b`; `e` is built in.
fn put_modules(root: &Path, below: &str) {
    put(root, &format!("{below}/kernel/fs/a.ko"), &module("b,c-d"));
    put(root, &format!("{below}/kernel/b.ko.xz"), &packed(&module(""), Packing::Xz));
    put(root, &format!("{below}/kernel/net/c-d.ko.zst"), &packed(&module("b"), Packing::Zstd));
    put(root, &format!("{below}/kernel/net/lonely.ko.gz"), &packed(&module("nowhere"), Packing::Gzip));
    put(root, &format!("{below}/modules.builtin"), b"kernel/fs/e.ko\n");
    put(root, &format!("{below}/modules.order"), b"kernel/fs/a.ko\nkernel/b.ko\nkernel/net/c-d.ko\n");
}

fn check_modules(kernel: &Kernel) {
    let modules = kernel.modules(&["a", "e", "c_d", "gone", "lonely"]).unwrap();
    let names: Vec<&str> = modules.load.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["b", "c_d", "a"]);
    assert_eq!(modules.load[1].bytes, module("b"));
    assert_eq!(modules.built_in, ["e"]);
    assert_eq!(modules.missing, ["gone", "nowhere", "lonely"]);
}

fn one(word: &Path) -> Kernel {
    let mut kernels = found(&[word.to_str().unwrap()]).unwrap();
    assert_eq!(kernels.len(), 1, "{kernels:?}");
    kernels.remove(0)
}

/// The cache of a kernel whose modules come from a folder may have gone.
#[test]
fn an_unpacked_package_has_its_modules_and_its_configuration() {
    for (boot, config, modules) in [
        (
            format!("boot/vmlinuz-{RELEASE}"),
            format!("boot/config-{RELEASE}"),
            format!("lib/modules/{RELEASE}"),
        ),
        (
            format!("boot/vmlinuz-{RELEASE}"),
            format!("boot/config-{RELEASE}"),
            format!("usr/lib/modules/{RELEASE}"),
        ),
        (
            format!("usr/lib/modules/{RELEASE}/vmlinuz"),
            format!("usr/lib/modules/{RELEASE}/config"),
            format!("usr/lib/modules/{RELEASE}"),
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), &boot, &image());
        put(root.path(), &config, b"CONFIG_A=y\n");
        put_modules(root.path(), &modules);
        for word in [
            root.path().to_owned(),
            root.path().join(&boot),
            root.path().join(&boot).parent().unwrap().to_owned(),
        ] {
            let cache = tempfile::tempdir().unwrap();
            let kernel = &kernels(&[word.to_str().unwrap()], None, cache.path()).unwrap()[0];
            assert_eq!(kernel.config.as_deref(), Some("CONFIG_A=y\n"), "{word:?}");
            check_modules(kernel);
        }
    }
}

#[test]
fn a_build_tree_has_its_modules_where_they_were_built() {
    let tree = tempfile::tempdir().unwrap();
    put(tree.path(), "arch/x86/boot/bzImage", &image());
    put(tree.path(), ".config", b"CONFIG_B=y\n");
    put(tree.path(), "vmlinux", &vmlinux(true));
    put(tree.path(), "modules.builtin", b"kernel/fs/e.ko\n");
    put(tree.path(), "modules.order", b"fs/a.o\nkernel/b.ko\nnet/c-d.o\nnet/lonely.o\n");
    for (path, depends) in
        [("fs/a.ko", "b,c-d"), ("b.ko", ""), ("net/c-d.ko", "b"), ("net/lonely.ko", "nowhere")]
    {
        put(tree.path(), path, &module(depends));
    }
    for word in ["", "arch/x86/boot/bzImage", "vmlinux"] {
        let kernel = one(&tree.path().join(word));
        assert_eq!(kernel.config.as_deref(), Some("CONFIG_B=y\n"));
        let cache = tempfile::tempdir().unwrap();
        let word = tree.path().join(word);
        check_modules(&kernels(&[word.to_str().unwrap()], None, cache.path()).unwrap()[0]);
    }
}

#[test]
fn a_package_has_its_modules_with_it_or_beside_it() {
    let modules = tempfile::tempdir().unwrap();
    put_modules(modules.path(), "m");
    let read = |path: &str| fs::read(modules.path().join("m").join(path)).unwrap();
    let below = |path: &str| format!("./usr/lib/modules/{RELEASE}/{path}");
    let files: Vec<(String, Vec<u8>)> =
        ["kernel/fs/a.ko", "kernel/b.ko.xz", "kernel/net/c-d.ko.zst", "kernel/net/lonely.ko.gz"]
            // Names of more than 100 bytes have an entry of their own before them.
            .map(|path| {
                (below(&path.replace("kernel/", &format!("kernel/{}/", "d".repeat(120)))), read(path))
            })
            .to_vec();
    let list = (below("modules.builtin"), read("modules.builtin"));
    let config = (below("config"), b"CONFIG_C=y\n".to_vec());
    let kernel = (below("vmlinuz"), image());
    let deb = |name: &str, files: &[&[(String, Vec<u8>)]]| {
        let files = files.concat();
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        package(&format!("Package: {name}-{RELEASE}\n"), &files, Packing::Xz)
    };
    let whole = deb("linux-image", &[&[config.clone(), kernel.clone()], &files, std::slice::from_ref(&list)]);
    let binary = deb("linux-binary", &[&[kernel]]);
    let rest = deb("linux-modules", &[&files]);
    let base = deb("linux-base", &[&[config, list]]);
    let check = |packages: &[(&str, &[u8])], word: &str| {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, bytes) in packages {
            put(folder.path(), &format!("{name}-{RELEASE}_1_amd64.deb"), bytes);
        }
        let word = folder.path().join(word);
        let found = kernels(&[word.to_str().unwrap()], None, cache.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].config.as_deref(), Some("CONFIG_C=y\n"));
        check_modules(&found[0]);
        // What is asked for later is found as well, and what was found before is there without the package.
        let more = found[0].modules(&["b", "nothing"]).unwrap();
        assert_eq!((more.load.len(), more.missing.len()), (1, 1));
    };
    check(&[("linux-image", &whole)], &format!("linux-image-{RELEASE}_1_amd64.deb"));
    let split = [("linux-binary", &*binary), ("linux-modules", &rest), ("linux-base", &base)];
    check(&split, &format!("linux-binary-{RELEASE}_1_amd64.deb"));
    check(&split, "*.deb");
}

#[test]
fn a_folder_without_a_kernel_is_told_with_the_mend() {
    let refused = |files: &[&str], expected: &str| {
        let root = tempfile::tempdir().unwrap();
        for path in files {
            put(root.path(), path, b"");
        }
        let word = root.path().to_str().unwrap();
        let error = found(&[word]).unwrap_err().to_string();
        assert_eq!(error.replace(word, "it"), format!("it is {expected}"));
    };
    let mend = "give a folder with boot/vmlinuz-…, lib/modules/…/vmlinuz or arch/x86/boot/bzImage in it";
    refused(&[], &format!("a folder without a kernel, and no kernel that can be booted: {mend}"));
    let unbuilt = "the source of a kernel that is not built, and no kernel that can be booted: run `make bzImage` in it";
    refused(&["Kconfig", "Makefile"], unbuilt);
    refused(&["a.deb"], "a folder of packages, and no kernel that can be booted: give `it/linux-*.deb`");
}

#[test]
fn kernels_are_in_the_order_of_their_versions_and_each_is_there_once() {
    let root = tempfile::tempdir().unwrap();
    let of_release = |release: &str| {
        let mut image = image();
        let name = format!("{release}\0");
        image[0x300..0x300 + name.len()].copy_from_slice(name.as_bytes());
        image
    };
    for release in ["6.12.1", "6.9.1", "5.10.0"] {
        put(root.path(), &format!("vmlinuz-{release}"), &of_release(release));
    }
    put(root.path(), "copy", &of_release("6.9.1"));
    let mut other = of_release("6.9.1");
    *other.last_mut().unwrap() = 1;
    put(root.path(), "other", &other);
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let names = |words: &[String]| -> Vec<String> {
        let cache = tempfile::tempdir().unwrap();
        let choices = find(words, None, cache.path()).unwrap();
        choices.iter().map(|choice| choice.name().to_owned()).collect()
    };
    let sorted = ["5.10.0", "6.9.1", "6.12.1"];
    assert_eq!(names(&[path("vmlinuz-*")]), sorted);
    assert_eq!(names(&[path("")]), sorted);
    assert_eq!(
        names(&[path("copy"), "host".to_owned(), path("vmlinuz-*"), "host".to_owned()]),
        ["6.9.1", "host", "5.10.0", "6.12.1"]
    );
    // Two of one release are told apart by what they are.
    let both = names(&[path("copy"), path("other")]);
    assert!(both[0] != both[1] && both.iter().all(|name| name.starts_with("6.9.1 (")), "{both:?}");
    assert_eq!(names(&[path("other"), path("copy")]), [both[1].clone(), both[0].clone()]);
    assert!(matches!(find(&["host".to_owned()], None, root.path()).unwrap()[..], [Choice::Host]));
}
