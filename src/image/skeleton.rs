//! The directories that every image has, because a sandbox mounts on them.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::{Result, io};

/// The mount points, with their modes. `/tmp` and `/var/tmp` are sticky and open to all (hier(7)).
const MOUNT_POINTS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

/// Makes the missing ones of them in `root`. It runs inside of `root` when an archive's entries stand there: see `unpack`.
pub(super) fn complete(root: &Path) -> Result<()> {
    MOUNT_POINTS.iter().try_for_each(|(name, mode)| make(&root.join(name), *mode))
}

fn make(path: &Path, mode: u32) -> Result<()> {
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(io("chmod", path))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io("mkdir", path)(error)),
    }
}
