//! The label of the kernel's security module.

use super::evidence::{reading, show, trim, unreadable};
use super::vantage::EVERYWHERE;
use super::{Fact, Kind};

/// `lsm`
pub(super) const LSM: Fact = Fact {
    name: "lsm",
    argument: None,
    kind: Kind::Text,
    views: EVERYWHERE,
    brief: "The label that the kernel's security module gave the process, or `none`.",
    long: "/proc/PID/attr/current: an AppArmor profile with its mode, or an SELinux context. `none` where no module keeps \
           labels (the read gives EINVAL).",
    example: "lsm: { not: { empty: true } }",
    observe: |subject, _| {
        let path = subject.proc_file("attr/current");
        match std::fs::read(&path) {
            Ok(bytes) => Ok(reading(show(trim(bytes.strip_suffix(b"\0").unwrap_or(&bytes))), &bytes)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(reading("none", "read: EINVAL")),
            Err(error) => Err(unreadable(&path, &error)),
        }
    },
    relate: None,
    same_outside: false,
};
