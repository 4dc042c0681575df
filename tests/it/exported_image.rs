//! A container made from an exported image: the root file system as one tar, as `docker export` writes it, behaves as the image itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::runs::run_with;

/// Specs whose claims must come out the same.
const SPECS: &[&str] = &[
    "pid/first-process.yaml",
    "pid/two-pids.yaml",
    "pid/unshare-fork.yaml",
    "lifecycle/init-and-signals.yaml",
    "lifecycle/ends-together.yaml",
    "sharing/namespaces.yaml",
    "mount/own-root.yaml",
    "mount/unshare-chroot.yaml",
];

#[test]
fn a_container_of_an_exported_image_behaves_the_same() {
    let folder = tempfile::tempdir().unwrap();
    export(&rootfs("base"), &folder.path().join("exported.tar"));
    for spec in SPECS {
        let text = fs::read_to_string(Path::new("specs").join(spec)).unwrap();
        let copy = folder.path().join("copy.yaml");
        fs::write(&copy, text.replace("image: base", "image: ./exported.tar")).unwrap();
        let cache = folder.path().join("cache");
        let outcomes = |place: &Path, variables: &[(&str, &Path)]| -> Vec<String> {
            let told = run_with(&[place.to_str().unwrap()], variables);
            told.into_iter()
                .map(|told| format!("{} [{}]: {}", told.claim, told.runtime, told.outcome))
                .collect()
        };
        let original = outcomes(&Path::new("specs").join(spec), &[]);
        let exported = outcomes(&copy, &[("AIRTIGHT_CACHE", &cache)]);
        assert_eq!(sorted(exported), sorted(original), "{spec}");
        assert!(cache.join("images").is_dir(), "the exported image was not used");
    }
}

/// The root file system of an image, as `airtight image build` tells it.
fn rootfs(image: &str) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_airtight")).args(["image", "build", image]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).unwrap();
    line.split_whitespace().next_back().unwrap().to_owned()
}

fn export(rootfs: &str, archive: &Path) {
    let status = Command::new("tar").arg("-C").arg(rootfs).arg("-cf").arg(archive).arg(".").status().unwrap();
    assert!(status.success());
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
