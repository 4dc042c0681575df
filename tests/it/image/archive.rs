//! Honest archives: what they hold is there.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use tar::EntryType;

use super::place::Place;
use super::tarball::{Tar, gzip, xz, zstd};

#[test]
fn every_compression_gives_the_same_tree() {
    let plain = Tar::new().folder("etc").file("etc/hostname", b"inside").end();
    for archive in [plain.clone(), gzip(&plain), zstd(&plain), xz(&plain)] {
        let place = Place::new();
        let rootfs = place.image(&archive).unwrap();
        assert_eq!(std::fs::read_to_string(rootfs.path.join("etc/hostname")).unwrap(), "inside");
        assert_eq!(rootfs.report.missing, []);
    }
}

#[test]
fn modes_times_and_links_are_kept() {
    let place = Place::new();
    let tar = Tar::new()
        .folder("./")
        .entry(EntryType::Directory, "tmp", "", 0o1777, b"")
        .entry(EntryType::Directory, "closed", "", 0, b"")
        .file("closed/file", b"x")
        .file_of("su", b"x", 0o4755)
        .file_of("sg", b"x", 0o2755)
        .hard_link("again", "su")
        .pax(&[("mtime", b"1000000000.25"), ("path", "ünïcode-and-long".repeat(12).as_bytes())])
        .file("short", b"x")
        .end();
    let root = place.image(&tar).unwrap().path;
    let meta = |name: &str| std::fs::symlink_metadata(root.join(name)).unwrap();
    let modes = ["tmp", "closed", "su", "sg"].map(|name| meta(name).permissions().mode() & 0o7777);
    assert_eq!(modes, [0o1777, 0, 0o4755, 0o2755]);
    assert_eq!(meta("su").ino(), meta("again").ino());
    assert_eq!(
        (meta("tmp").mtime(), meta("closed").mtime(), meta("su").mtime()),
        (1_000_000_000, 1_000_000_000, 1_000_000_000)
    );
    assert_eq!(meta(&"ünïcode-and-long".repeat(12)).mtime_nsec(), 250_000_000);
}

#[test]
fn links_to_the_root_lead_to_the_images_root() {
    let place = Place::new();
    let tar = Tar::new()
        .folder("usr/lib")
        .link("lib", "/usr/lib")
        .link("lib64", "usr/lib")
        .link("dangling", "/nowhere");
    let tar = tar
        .file("lib/one", b"1")
        .file("lib64/two", b"2")
        .file("implied/folder/three", b"3")
        .hard_link("four", "/lib/one");
    let root = place.image(&tar.end()).unwrap().path;
    for (name, content) in
        [("usr/lib/one", "1"), ("usr/lib/two", "2"), ("implied/folder/three", "3"), ("four", "1")]
    {
        assert_eq!(std::fs::read_to_string(root.join(name)).unwrap(), content, "{name}");
    }
    assert_eq!(std::fs::read_link(root.join("lib")).unwrap().to_str(), Some("/usr/lib"));
    assert_eq!(std::fs::read_link(root.join("dangling")).unwrap().to_str(), Some("/nowhere"));
}

#[test]
fn the_last_of_two_entries_counts() {
    let place = Place::new();
    let tar = Tar::new()
        .file("a", b"old")
        .file("a", b"new")
        .folder("b")
        .file("b/in", b"")
        .link("b", "a")
        .link("c", "a")
        .file("c", b"own");
    let root = place.image(&tar.end()).unwrap().path;
    assert_eq!(std::fs::read_to_string(root.join("a")).unwrap(), "new");
    assert!(root.join("b").is_symlink() && !root.join("c").is_symlink());
}

#[test]
fn the_mount_points_of_a_sandbox_are_there() {
    let place = Place::new();
    let root = place.image(&Tar::new().file("bin/sh", b"").end()).unwrap().path;
    for name in ["proc", "sys", "dev", "tmp", "etc", "run", "var/tmp", "root"] {
        assert!(root.join(name).is_dir(), "{name}");
    }
}

#[test]
fn in_a_plain_tar_a_whiteout_is_a_file() {
    let place = Place::new();
    let root = place.image(&Tar::new().file("a", b"").file(".wh.a", b"").end()).unwrap().path;
    assert!(root.join("a").exists() && root.join(".wh.a").exists());
}

#[test]
fn devices_and_fifos_are_made_or_reported() {
    let place = Place::new();
    let tar = Tar::new().device(EntryType::Char, "null", (1, 3)).device(EntryType::Block, "disk", (7, 0));
    let rootfs = place.image(&tar.entry(EntryType::Fifo, "fifo", "", 0o600, b"").end()).unwrap();
    assert!(std::fs::symlink_metadata(rootfs.path.join("fifo")).unwrap().file_type().is_fifo());
    let missing: Vec<String> = rootfs.report.missing.iter().map(ToString::to_string).collect();
    if nix::unistd::geteuid().is_root() {
        let meta = |name: &str| std::fs::symlink_metadata(rootfs.path.join(name)).unwrap();
        assert!(meta("null").file_type().is_char_device() && meta("disk").file_type().is_block_device());
        assert_eq!(
            (meta("null").rdev(), meta("null").permissions().mode() & 0o777),
            (nix::sys::stat::makedev(1, 3), 0o666)
        );
        assert_eq!(missing, [""; 0]);
    } else {
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing[0].starts_with("null: character device 1:3: mknod("), "{missing:?}");
    }
}

#[test]
fn extended_attributes_are_kept_or_reported() {
    // CAP_NET_RAW, permitted and effective (linux/capability.h, vfs_cap_data of revision 2).
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::new()
        .pax(&[("SCHILY.xattr.security.capability", &capability), ("SCHILY.xattr.user.overlay.opaque", b"y")])
        .file("ping", b"x");
    let place = Place::new();
    let rootfs = place.image(&tar.end()).unwrap();
    let missing: Vec<String> = rootfs.report.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        ["ping: extended attribute user.overlay.opaque: it would steer an overlay on the image"]
    );
    let mut value = vec![0; 64];
    let length = rustix::fs::getxattr(rootfs.path.join("ping"), "security.capability", &mut value).unwrap();
    assert_eq!(value[4..8], capability[4..8]);
    assert!(length >= 20);
}
