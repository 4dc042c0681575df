//! As an ordinary user: what cannot be made is reported, all else is there, and all of it can be removed.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};

use tar::EntryType;

use super::place::Place;
use super::tarball::Tar;

/// Debian's `nobody`, where the tests run as root.
const USER: u32 = 65534;

struct User {
    folder: tempfile::TempDir,
}

impl User {
    /// The program is copied to where every user can reach it.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // By another process: a program cannot be started while anything forked from this one holds it open for writing.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_airtight"))
            .arg(folder.path().join("airtight"))
            .status();
        assert!(copied.unwrap().success());
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        if nix::unistd::geteuid().is_root() {
            chown(folder.path(), Some(USER), Some(USER)).unwrap();
        }
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn airtight(&self, arguments: &[&str]) -> Output {
        let program = self.path().join("airtight");
        let mut command = if nix::unistd::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command
                .args([format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .env("AIRTIGHT_CACHE", self.path().join("cache"))
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// Whether this kernel lets an ordinary user make the namespaces that unpacking needs.
    fn can_unpack(&self) -> bool {
        !String::from_utf8_lossy(&self.airtight(&["image", "import", "x.tar"]).stderr)
            .contains("cannot be confined")
    }
}

#[test]
fn an_archive_with_devices_and_foreign_owners() {
    let user = User::new();
    let tar = Tar::new()
        .entry(EntryType::Directory, "closed", "", 0, b"")
        .file("closed/file", b"x")
        .file_of("su", b"x", 0o4755)
        .device(EntryType::Char, "null", (1, 3))
        .entry(EntryType::Fifo, "fifo", "", 0o600, b"")
        .header(EntryType::Regular, "foreign", "", 0o644, 0, |header| header.set_uid(42))
        .header(EntryType::Regular, "foreign2", "", 0o644, 0, |header| header.set_uid(43));
    std::fs::write(user.path().join("x.tar"), tar.end()).unwrap();
    if !user.can_unpack() {
        return refused_with_a_reason(&user);
    }
    let output = user.airtight(&["image", "import", "x.tar"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("not made: null: character device 1:3: mknod(\"/null\", "), "{text}");
    assert!(text.contains(") failed: EPERM"), "{text}");
    assert!(text.contains(" more: fchownat("), "{text}");
    let root = Path::new(text.lines().next().unwrap().rsplit(' ').next().unwrap());
    let mode = |name: &str| std::fs::symlink_metadata(root.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("closed"), mode("su"), mode("fifo")), (0, 0o4755, 0o600));
    assert!(!root.join("null").exists());

    let removed = user.airtight(&["image", "rm", "x"]);
    assert_eq!(String::from_utf8(removed.stdout).unwrap(), "x: 1 image removed\n");
    assert!(!root.exists());
}

fn refused_with_a_reason(user: &User) {
    let output = user.airtight(&["image", "import", "x.tar"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("the unpacker cannot be confined: unshare(") && text.contains("failed: "),
        "{text}"
    );
}

#[test]
fn base_needs_no_rights() {
    let user = User::new();
    let output = user.airtight(&["image", "build", "base"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        Path::new(text.lines().next().unwrap().rsplit(' ').next().unwrap()).join("bin/sh").exists(),
        "{text}"
    );
}

#[test]
fn the_cache_is_closed_to_others() {
    let place = Place::new();
    place.image(&Tar::new().file_of("su", b"", 0o4755).end()).unwrap();
    for folder in ["images", "images/store", "images/building"] {
        let mode = std::fs::metadata(place.path().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}
