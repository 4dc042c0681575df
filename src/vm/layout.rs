//! Where things lie in the initramfs, as host and guest both know it.

use std::path::{Path, PathBuf};

/// Modules, to be loaded in the order of their names.
pub(super) const MODULES: &str = "/airtight/modules";

/// A file with the name of the runtime whose programs were brought, where there are any.
pub(super) const RUNTIME: &str = "/airtight/runtime";

/// What belongs below a directory over which the guest mounts: there under its whole path.
pub(super) const LATE: &str = "/airtight/late";

/// The directories over which it mounts.
pub(super) const MOUNTED: [&str; 5] = ["/tmp", "/run", "/dev", "/proc", "/sys"];

/// Files of runtimes that do not come with airtight.
pub(super) const RUNTIMES: &str = "/airtight/runtimes";

/// Images, by their digests.
pub(super) const IMAGES: &str = "/airtight/images";

/// The root of an image. It has a folder of its own, where copies of it are made.
pub(super) fn image_root(digest: &str) -> PathBuf {
    Path::new(IMAGES).join(digest).join("rootfs")
}

/// Who ordinary users' claims are judged by.
pub(super) const USER: u32 = 1000;
