//! Files that are cut, garbled, or made to do harm: each is an error or a kernel, and never a panic, a hang, or a full disk.

use std::fs;
use std::time::{Duration, Instant};

use super::make::{PACKINGS, Packing, bzimage, bzimage_of, module, package, packed, vmlinux};
use super::{found, kernels};

/// Numbers that are the same in each run (xorshift).
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// Looks at a file that is damaged; whether it is still a kernel is for the file to say.
fn look(bytes: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.deb");
    fs::write(&path, bytes).unwrap();
    let start = Instant::now();
    let cache = tempfile::tempdir().unwrap();
    let found = kernels(&[path.to_str().unwrap()], None, cache.path());
    if let Ok(kernels) = &found {
        drop(kernels[0].modules(&["m", "n"]).map_err(|error| error.to_string()));
    }
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    found.err().map(|error| error.to_string())
}

fn samples() -> Vec<Vec<u8>> {
    let kernel = vmlinux(true);
    let mut samples: Vec<Vec<u8>> = PACKINGS.map(|packing| bzimage(&kernel, packing)).to_vec();
    samples.extend(PACKINGS.map(|packing| packed(&kernel, packing)));
    let image = bzimage(&kernel, Packing::Xz);
    let (one, other) = (module("n"), module(""));
    let files: [(&str, &[u8]); 3] =
        [("./boot/vmlinuz-1", &image), ("./lib/modules/1/m.ko", &one), ("./lib/modules/1/n.ko", &other)];
    samples.extend(
        [Packing::Gzip, Packing::Xz, Packing::Zstd].map(|packing| package("Package: x\n", &files, packing)),
    );
    samples.push(kernel);
    samples
}

#[test]
fn a_cut_image_is_damaged() {
    for packing in PACKINGS {
        let image = bzimage(&vmlinux(true), packing);
        let mut numbers = Numbers::new();
        for _ in 0..20 {
            // What follows the packed kernel does not count.
            let cut = numbers.below(image.len() - 64);
            assert!(look(&image[..cut]).is_some(), "{packing:?} cut at {cut}");
        }
        let error = look(&image[..image.len() - 80]).unwrap();
        assert!(error.contains("is damaged: it has") && error.contains("fetch or build it again"), "{error}");
    }
}

#[test]
fn a_garbled_image_is_damaged() {
    for packing in PACKINGS {
        let image = bzimage(&vmlinux(true), packing);
        // The packed bytes from the middle on are others.
        let mut garbled = image.clone();
        let middle = (1552 + image.len() - 64) / 2;
        garbled[middle..image.len() - 72].fill(0xa5);
        let error = look(&garbled).unwrap();
        assert!(error.contains("is damaged"), "{packing:?}: {error}");
        // The size is wrong.
        let mut longer = image.clone();
        longer[image.len() - 68] ^= 1;
        let error = look(&longer).unwrap();
        assert!(error.contains("is damaged") || error.contains("a bomb"), "{packing:?}: {error}");
    }
}

#[test]
fn damaged_files_are_told_and_harm_nobody() {
    let mut numbers = Numbers::new();
    for sample in samples() {
        for round in 0..25 {
            let mut bytes = sample.clone();
            for _ in 0..=numbers.below(4) {
                // Headers are where the harm is.
                let within = if round % 2 == 0 { bytes.len() } else { bytes.len().min(0x700) };
                let at = numbers.below(within);
                bytes[at] ^= 1 << numbers.below(8);
            }
            look(&bytes);
            bytes.truncate(numbers.below(bytes.len()));
            look(&bytes);
        }
    }
}

#[test]
fn bombs_are_refused() {
    let refused = |bytes: &[u8], expected: &str| {
        let error = look(bytes).unwrap();
        assert!(error.contains(expected), "{error}");
    };
    // It claims more than any kernel has, and it has more than it claims.
    let mut claims = packed(&[0; 1000], Packing::Zstd);
    claims.extend(u32::MAX.to_le_bytes());
    refused(&bzimage_of(&claims), "no kernel but a bomb: the kernel in it claims to have 4294967295 bytes");
    for packing in [Packing::Xz, Packing::Zstd, Packing::Lz4, Packing::Lzma] {
        let mut has = packed(&vec![0; 64 << 20], packing);
        has.extend(1000_u32.to_le_bytes());
        refused(&bzimage_of(&has), "it unpacks to more than 1000 bytes");
    }
    // It unpacks to a kernel's start and then without end.
    let mut endless = vmlinux(true);
    endless.resize(600 << 20, 0);
    refused(&packed(&endless, Packing::Gzip), "it unpacks to more than 536870912 bytes");
    // A package of zeros, and one with a name of zeros.
    let zeros = vec![0; 100 << 20];
    refused(&package("Package: x\n", &[("./boot/x", &zeros)], Packing::Gzip), "it unpacks to more than");
}

/// A module that is needed by one that it needs, and a chain of them.
#[test]
fn modules_that_need_each_other_end() {
    let folder = tempfile::tempdir().unwrap();
    let modules = folder.path().join("lib/modules").join(super::make::RELEASE).join("kernel");
    fs::create_dir_all(&modules).unwrap();
    fs::create_dir(folder.path().join("boot")).unwrap();
    fs::write(folder.path().join("boot/vmlinuz-1"), bzimage(&vmlinux(true), Packing::Gzip)).unwrap();
    for (name, depends) in [("a", "b"), ("b", "a"), ("self", "self")] {
        fs::write(modules.join(format!("{name}.ko")), module(depends)).unwrap();
    }
    for n in 0..1000 {
        fs::write(modules.join(format!("chain{n}.ko")), module(&format!("chain{}", n + 1))).unwrap();
    }
    std::os::unix::fs::symlink("/", modules.join("build")).unwrap();
    fs::write(modules.join("text.ko"), "no module").unwrap();
    let kernel = found(&[folder.path().to_str().unwrap()]).unwrap().remove(0);
    let cache = tempfile::tempdir().unwrap();
    let kernel_again = kernels(&[folder.path().to_str().unwrap()], None, cache.path()).unwrap().remove(0);
    assert_eq!(kernel.digest, kernel_again.digest);
    let names = |wanted: &[&str]| {
        let modules = kernel_again.modules(wanted).map_err(|error| error.to_string())?;
        Ok::<_, String>(modules.load.into_iter().map(|module| module.name).collect::<Vec<_>>())
    };
    assert_eq!(names(&["a"]).unwrap(), ["b", "a"]);
    assert_eq!(names(&["self"]).unwrap(), ["self"]);
    assert!(names(&["chain0"]).unwrap_err().contains("nested deeper than 64"));
    assert!(names(&["text"]).unwrap_err().contains("the module text of "));
}
