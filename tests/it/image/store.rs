//! The cache: built once, found again, safe for parallel runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use airtight::image::Store;

use super::place::Place;
use super::tarball::Tar;

/// Runs a shell line in an image; an ordinary user needs a user namespace for chroot.
fn run(root: &Path, line: &str) -> String {
    let output = Command::new("unshare")
        .arg("-r")
        // Not on the PATH of an ordinary user of Debian.
        .arg(airtight::sandbox::program::find("chroot").unwrap())
        .arg(root)
        .args(["/bin/sh", "-c", line])
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn base_is_made_of_the_hosts_programs_and_they_run() {
    let place = Place::new();
    let base = place.store.rootfs("base", Path::new("/")).unwrap();
    assert_eq!(
        run(&base.path, "echo a b | awk '{print $2}' | sed s/b/c/ | grep -o c | tr c d | cut -c1"),
        "d\n"
    );
    assert_eq!(
        run(&base.path, "id -un; cat /etc/os-release | head -1; find /bin/ -name setpriv"),
        "root\nID=airtight-base\n/bin/setpriv\n"
    );
    // The loader itself says of each program whether all its libraries are there.
    let loader = airtight::image::elf::closure(Path::new("/bin/cat")).unwrap().interpreter.unwrap();
    let lost = format!(
        "for p in /bin/*; do LD_TRACE_LOADED_OBJECTS=1 {} $p; done | grep -c 'not found' || true",
        loader.display()
    );
    assert_eq!(run(&base.path, &lost), "0\n");
    for missing in &base.report.missing {
        assert_eq!(missing.what, "optional program");
    }
}

#[test]
fn a_program_that_the_host_lacks_is_an_error_or_reported() {
    let place = Place::new();
    let recipe = |text: &str| place.write("images/odd.yaml", format!("about: x\n{text}").as_bytes());
    recipe("host: {programs: [airtight-no-such], package: nonesuch}");
    let expected = "the host has no program `airtight-no-such`: install Debian's package nonesuch";
    assert_eq!(place.store.available("odd", place.path()).unwrap_err(), expected);
    assert_eq!(place.store.rootfs("odd", place.path()).unwrap_err().to_string(), expected);
    recipe("host: {programs: [sh], optional: [airtight-no-such]}");
    let report = place.store.rootfs("odd", place.path()).unwrap().report;
    assert_eq!(
        report.missing[0].to_string(),
        "airtight-no-such: optional program: the host has no program `airtight-no-such`"
    );
    assert_eq!(report.missing.len(), 1);
}

#[test]
fn busybox_brings_its_applets_or_says_which_package_does() {
    let place = Place::new();
    match place.store.available("busybox", Path::new("/")) {
        Ok(()) => {
            let root = place.store.rootfs("busybox", Path::new("/")).unwrap().path;
            assert_eq!(run(&root, "readlink /bin/sh; sed --help 2>&1 | grep -c BusyBox"), "busybox\n1\n");
        }
        Err(why) => {
            assert_eq!(why, "the host has no program `busybox`: install Debian's package busybox-static");
        }
    }
}

#[test]
fn a_warm_image_is_found_and_a_changed_archive_is_not() {
    let place = Place::new();
    let first = place.image(&Tar::new().file("a", b"1").end()).unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&first.path).unwrap());
    let path = place.path().join("archive");
    let again = Store::at(&place.path().join("images"))
        .unwrap()
        .rootfs(path.to_str().unwrap(), Path::new("/"))
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(inode, std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&again.path).unwrap()));
    let other = place.image(&Tar::new().file("a", b"2").end()).unwrap();
    assert_ne!(first.digest, other.digest);
    assert_eq!(std::fs::read_to_string(other.path.join("a")).unwrap(), "2");
}

#[test]
fn parallel_builders_agree() {
    let place = Place::new();
    let archive = place.write("archive", &Tar::new().file("a", &vec![1; 100_000]).end());
    let program = env!("CARGO_BIN_EXE_airtight");
    let run = || {
        Command::new(program)
            .args(["image", "build"])
            .arg(&archive)
            .arg("base")
            .env("AIRTIGHT_CACHE", place.path())
            .output()
            .unwrap()
    };
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert_eq!(outputs.iter().map(|output| &output.stdout).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!((place.names("store").len(), place.names("building").len()), (2, 0));
}

#[test]
fn a_killed_builder_leaves_what_the_next_one_sweeps() {
    let place = Place::new();
    place.write("images/building/1-dead/rootfs/x", b"");
    place.write("images/building/1-dead.lock", b"");
    place.image(&Tar::new().file("a", b"").end()).unwrap();
    assert_eq!(place.names("building"), [""; 0]);
}

#[test]
fn an_imported_image_has_a_name_and_can_be_removed() {
    let place = Place::new();
    let archive = place.write("mine.tar", &Tar::new().file("a", b"1").end());
    let imported = place.store.import(&archive, "mine").unwrap();
    std::fs::remove_file(&archive).unwrap();
    assert_eq!(place.store.rootfs("mine", Path::new("/")).unwrap(), imported);
    assert!(
        place.store.list().unwrap().iter().any(|listed| listed.name == "mine" && listed.source == "imported")
    );
    let other = Store::at(&place.path().join("images")).unwrap();
    let error = other.remove("mine").unwrap_err().to_string();
    assert_eq!(error, "`mine` cannot name an image: another process uses the image");
    assert_eq!(place.store.remove("mine").unwrap().images, 1);
    assert!(!imported.path.exists());
    assert!(place.store.rootfs("mine", Path::new("/")).is_err());
    assert!(place.store.remove("mine").is_err());
}

#[test]
fn a_recipe_keeps_its_name() {
    let place = Place::new();
    let archive = place.write("x.tar", &Tar::new().file("a", b"1").end());
    let error = place.store.import(&archive, "base").unwrap_err().to_string();
    assert_eq!(error, "`base` cannot name an image: a recipe has this name");
    assert!(place.store.import(&archive, "../evil").is_err());
}

#[test]
fn what_is_mounted_below_an_image_is_not_deleted() {
    let place = Place::new();
    let archive = place.write("mine.tar", &Tar::new().folder("mnt").end());
    let root = place.store.import(&archive, "mine").unwrap().path;
    let victim = place.write("victim/kept", b"x");
    let line = "mount --bind \"$1\" \"$2/mnt\" && exec \"$3\" image rm mine";
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", line, "sh"])
        .arg(victim.parent().unwrap())
        .arg(&root)
        .arg(env!("CARGO_BIN_EXE_airtight"));
    let cache = place.path().to_owned();
    let (_folder, store) = place.part();
    drop(store);
    let output = command.env("AIRTIGHT_CACHE", cache).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("failed: EXDEV") || text.contains("failed: EBUSY"), "{text}");
    assert!(victim.exists());
}

#[test]
fn an_image_is_open_to_all_whatever_the_umask() {
    let place = Place::new();
    let program = env!("CARGO_BIN_EXE_airtight");
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 077; exec \"$0\" image build base", program])
        .env("AIRTIGHT_CACHE", place.path());
    assert!(command.status().unwrap().success());
    let root = place.store.rootfs("base", Path::new("/")).unwrap().path;
    for (name, mode) in
        [("", 0o755), ("usr/bin", 0o755), ("usr/bin/sh", 0o755), ("etc/passwd", 0o644), ("tmp", 0o1777)]
    {
        let meta = std::fs::metadata(root.join(name)).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o7777, mode, "{name}");
    }
}
