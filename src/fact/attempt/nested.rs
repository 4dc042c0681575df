//! Mounting in a user namespace of one's own making.

use nix::errno::Errno;

use super::mount::is_type;
use super::outcome::{outcome, unprepared};
use super::place::MountPoint;
use crate::fact::{Attempt, Leaves};
use crate::sys::{Nested, mount_nested};

/// `nested_mount`
pub(super) const NESTED_MOUNT: Attempt = Attempt {
    name: "nested_mount",
    object: "TYPE",
    brief: "Makes a user namespace with all others, and mounts a file system of a type there.",
    long: "In a child: unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP); in its \
           child, the first of that PID namespace: mount(\"none\", DIR, TYPE, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL). Both then end, and the mount with them. The kernel refuses a fresh proc or sysfs where \
           something lies over a part of the one that is there, lest a mask be gone round: mount_namespaces(7), \
           `mount_too_revealing` of fs/namespace.c. A refused unshare(2) is the attempt's outcome too.",
    example: "attempts: { nested_mount: { proc: denied } }",
    leaves: Leaves::Something,
    check: |object| {
        if is_type(object) {
            Ok(())
        } else {
            Err(format!("`{object}` is no type of file system: write `proc`"))
        }
    },
    attempt: |kind| {
        let point =
            MountPoint::find().ok_or_else(|| unprepared("no directory to mount on", Errno::ENOENT))?;
        match mount_nested(kind, &point.path).map_err(|errno| unprepared("fork()", errno))? {
            Nested::NoNamespaces(errno) => outcome("unshare(CLONE_NEWUSER | …)", Err(errno)),
            Nested::Mounted(result) => outcome(
                &format!(
                    "mount(\"none\", \"{}\", {kind:?}) in a nested user namespace",
                    point.path.display()
                ),
                result,
            ),
        }
    },
};
