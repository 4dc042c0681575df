//! What is found at a path.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, StatVfsMountFlags, Statx,
    StatxAttributes, StatxFlags, accessat, fstatvfs, open, openat, openat2, readlinkat, statx,
};
use rustix::io::Errno;
use serde_json::{Map, Value, json};

use super::evidence::{io_name, reading, show};
use super::mounts::mountinfo;
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Reading, Subject, Unobserved};
use crate::sys::settled;

const TYPES: &[&str] = &[
    "none",
    "file",
    "directory",
    "symlink",
    "character_device",
    "block_device",
    "fifo",
    "socket",
    "unknown",
];

const fn field(name: &'static str, kind: Kind, brief: &'static str) -> Field {
    Field { name, kind, brief }
}

/// `paths`
pub(super) const PATHS: Fact = Fact {
    name: "paths",
    argument: Some("PATH"),
    kind: Kind::Path(&[
        field("exists", Kind::Bool, "Whether there is anything at the path."),
        field("type", Kind::Word(TYPES), "What it is; `none` where there is nothing."),
        field("mode", Kind::Mode, "Its permission bits with setuid, setgid and sticky: `\"0755\"`."),
        field("owner", Kind::Int, "Its user id, as the reader counts."),
        field("group", Kind::Int, "Its group id, as the reader counts."),
        field("target", Kind::Text, "What a symbolic link says; only of a link."),
        field("device", Kind::Text, "The number of a device: `\"1:3\"`; only of a device."),
        field("size", Kind::Int, "Its size in bytes; 0 for files of /proc."),
        field("links", Kind::Int, "The number of its hard links."),
        field("mount_point", Kind::Bool, "Whether something is mounted exactly there."),
        field("mounted_read_only", Kind::Bool, "Whether the mount it lies on is read-only."),
        field(
            "mask",
            Kind::Word(&["none", "null_device", "empty_directory", "inaccessible"]),
            "What hides the path, below.",
        ),
        field(
            "can_read",
            Kind::Bool,
            "Whether access(2) says that the process may read it; not from outside.",
        ),
        field("can_write", Kind::Bool, "Whether it may write to it; not from outside."),
        field("can_execute", Kind::Bool, "Whether it may execute or enter it; not from outside."),
    ]),
    views: EVERYWHERE,
    brief: "What is found at a path: a file, a directory, a device, or nothing.",
    long: "lstat(2), statx(2), statvfs(2), access(2) with the effective ids. A symbolic link at the end of the path is \
           itself what is found; only can_read, can_write and can_execute follow it. Nothing is opened: `attempts.open` \
           and `attempts.write` do that. Outside, the path is followed in the process's own root, as openat2(2) does with \
           RESOLVE_IN_ROOT, Linux 5.6. `mask` says which of the covers of runtimes lies over the path: `null_device` is \
           the character device 1:3 under any name but /dev/null, `empty_directory` an empty read-only directory \
           that is mounted there, `inaccessible` a file or directory without any permission bits that is mounted there. Where there is nothing, `exists` is false, `type` and `mask` are `none`, and there are no \
           other fields.",
    example: "paths: { /dev/null: { type: character_device, device: \"1:3\" }, /proc/kcore: masked }",
    observe: |subject, path| observe(subject, path),
    relate: None,
    same_outside: false,
};

/// The argument must be an absolute path.
pub(super) fn absolute(path: &str) -> Result<(), Unobserved> {
    if Path::new(path).is_absolute() && !path.contains('\0') {
        Ok(())
    } else {
        Err(Unobserved::because(format!("`{path}` is not an absolute path")))
    }
}

/// Opens a path in the root of the process. Another process's root is entered with `RESOLVE_IN_ROOT`, because an absolute
/// symbolic link below /proc/PID/root would lead to the reader's own files.
pub(super) fn open_in_root(subject: &Subject, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    if subject.pid().is_none() {
        return open(path, flags, Mode::empty());
    }
    let root =
        open(subject.proc_file("root"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    settled(&Errno::AGAIN, || openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT))
}

/// `cannot look at /etc/shadow: EACCES`.
pub(super) fn unseen(path: &str, errno: Errno) -> Unobserved {
    let reason = format!("cannot look at {path}: {}", io_name(&errno.into()));
    Unobserved { reason, refused: errno == Errno::ACCESS }
}

fn observe(subject: &Subject, path: &str) -> Result<Reading, Unobserved> {
    absolute(path)?;
    let file = match open_in_root(subject, path, OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(file) => file,
        // A process that is gone has no root to look in: only below a root that is there can a path be absent.
        Err(Errno::NOENT | Errno::NOTDIR) if root_is_there(subject) => return Ok(nothing(path)),
        Err(errno) => return Err(unseen(path, errno)),
    };
    let found = Found::look(subject, &file, path)?;
    let mut map = describe(&file, &found).map_err(|errno| unseen(path, errno))?;
    if subject.pid().is_none() {
        add_access(&mut map, path)?;
    }
    let raw = Value::from(map.clone()).to_string();
    Ok(reading(map, raw))
}

fn root_is_there(subject: &Subject) -> bool {
    open_in_root(subject, "/", OFlags::PATH).is_ok()
}

fn nothing(path: &str) -> Reading {
    reading(json!({ "exists": false, "type": "none", "mask": "none" }), format!("{path}: nothing there"))
}

/// What statx(2) and statvfs(2) say of what was found.
struct Found<'p> {
    path: &'p str,
    stat: Statx,
    kind: FileType,
    mount_point: bool,
    read_only: bool,
}

impl<'p> Found<'p> {
    fn look(subject: &Subject, file: &OwnedFd, path: &'p str) -> Result<Self, Unobserved> {
        let stat = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
            .map_err(|errno| unseen(path, errno))?;
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        let flags = fstatvfs(file).map_err(|errno| unseen(path, errno))?.f_flag;
        let mount_point = is_mount_point(subject, &stat, path)?;
        Ok(Self { path, stat, kind, mount_point, read_only: flags.contains(StatVfsMountFlags::RDONLY) })
    }
}

/// Before Linux 5.8 statx(2) does not tell, and mountinfo does.
fn is_mount_point(subject: &Subject, stat: &Statx, path: &str) -> Result<bool, Unobserved> {
    if stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    let (mounts, _) = mountinfo(subject)?;
    Ok(mounts.iter().any(|mount| show(&mount.point) == path))
}

fn describe(file: &OwnedFd, found: &Found<'_>) -> Result<Map<String, Value>, Errno> {
    let (stat, kind) = (&found.stat, found.kind);
    let mut map = Map::new();
    let mut add = |name: &str, value: Value| map.insert(name.to_owned(), value);
    add("exists", true.into());
    add("type", type_word(kind).into());
    add("mode", format!("{:04o}", stat.stx_mode & 0o7777).into());
    add("owner", stat.stx_uid.into());
    add("group", stat.stx_gid.into());
    add("size", stat.stx_size.into());
    add("links", stat.stx_nlink.into());
    if kind == FileType::Symlink {
        add("target", show(readlinkat(file, "", Vec::new())?.as_bytes()).into());
    }
    if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
        add("device", format!("{}:{}", stat.stx_rdev_major, stat.stx_rdev_minor).into());
    }
    add("mount_point", found.mount_point.into());
    add("mounted_read_only", found.read_only.into());
    add("mask", mask(file, found)?.into());
    Ok(map)
}

/// Which cover of the runtimes lies there: OCI config-linux.md, `maskedPaths`; systemd.exec(5), `InaccessiblePaths`.
fn mask(file: &OwnedFd, found: &Found<'_>) -> Result<&'static str, Errno> {
    let null = found.kind == FileType::CharacterDevice
        && (found.stat.stx_rdev_major, found.stat.stx_rdev_minor) == (1, 3);
    if null && found.path != "/dev/null" {
        return Ok("null_device");
    }
    let directory = found.kind == FileType::Directory;
    let empty_file = found.kind == FileType::RegularFile && found.stat.stx_size == 0;
    if !found.mount_point || !(directory || empty_file) {
        return Ok("none");
    }
    if Mode::from_raw_mode(found.stat.stx_mode.into()).is_empty() {
        return Ok("inaccessible");
    }
    if directory && found.read_only && is_empty(file)? { Ok("empty_directory") } else { Ok("none") }
}

fn is_empty(directory: impl AsFd) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in Dir::new(openat(directory, ".", flags, Mode::empty())?)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn add_access(map: &mut Map<String, Value>, path: &str) -> Result<(), Unobserved> {
    let rights =
        [("can_read", Access::READ_OK), ("can_write", Access::WRITE_OK), ("can_execute", Access::EXEC_OK)];
    for (name, right) in rights {
        let allowed = match accessat(CWD, path, right, AtFlags::EACCESS) {
            Ok(()) => true,
            // A dangling link may not be read either: what it points to is not there. ETXTBSY is a program that runs.
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY | Errno::NOENT | Errno::LOOP) => {
                false
            }
            Err(errno) => return Err(unseen(path, errno)),
        };
        map.insert(name.to_owned(), allowed.into());
    }
    Ok(())
}

const fn type_word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::CharacterDevice => "character_device",
        FileType::BlockDevice => "block_device",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn both(path: &str, field: &str) -> [Value; 2] {
        let own = i32::try_from(std::process::id()).unwrap();
        [Subject::oneself(), Subject::other(own, None)]
            .map(|subject| observe(&subject, path).unwrap().value[field].clone())
    }

    #[test]
    fn a_path_is_seen_alike_from_both_sides() {
        let check = |path: &str, field: &str, expected: Value| {
            assert_eq!(both(path, field), [expected.clone(), expected], "{path} {field}");
        };
        check("/dev/null", "device", json!("1:3"));
        check("/dev/null", "mask", json!("none"));
        check("/", "type", json!("directory"));
        check("/no/such/path", "exists", json!(false));
        check("/dev/null/below", "type", json!("none"));
        check("/proc", "mount_point", json!(true));
    }

    #[test]
    fn links_files_and_modes_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("file"), "12345").unwrap();
        std::fs::set_permissions(path("file"), PermissionsExt::from_mode(0o4711)).unwrap();
        symlink("../elsewhere", path("link")).unwrap();
        assert_eq!(both(&path("file"), "mode"), ["4711"; 2]);
        assert_eq!(both(&path("file"), "size"), [5; 2]);
        assert_eq!(both(&path("link"), "target"), ["../elsewhere"; 2]);
        assert_eq!(both(&path("link"), "can_read"), [json!(false), Value::Null]);
    }

    #[test]
    fn a_process_that_is_gone_has_no_paths() {
        let reason = observe(&Subject::other(1 << 22, None), "/etc").unwrap_err().reason;
        assert_eq!(reason, "cannot look at /etc: ENOENT");
    }
}
