//! Who there is in the guest.

use std::fs;
use std::os::unix::fs::chown;

use crate::sys::{Failure, Result};
use crate::vm::layout::USER;

/// The users' names, the ids that the ordinary one may map (subuid(5)), and what tells one machine from another.
const FILES: [(&str, &str); 7] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    ),
    ("/etc/group", "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n"),
    ("/etc/subuid", "user:100000:65536\n"),
    ("/etc/subgid", "user:100000:65536\n"),
    ("/etc/hostname", "airtight-guest\n"),
    ("/etc/resolv.conf", "nameserver 127.0.0.1\n"),
    ("/etc/os-release", "PRETTY_NAME=\"The airtight guest\"\nNAME=airtight\nID=airtight\n"),
];

/// Where the ordinary user lives.
pub(super) const HOME: &str = "/home/user";

/// Writes the files, and gives the ordinary user a home.
pub(super) fn make_home() -> Result<()> {
    for (path, text) in FILES {
        // It is the image's too, by another name.
        let _ = fs::remove_file(path);
        fs::write(path, text).map_err(|error| Failure::from_io("write", &[&path], &error))?;
    }
    fs::create_dir_all(HOME).map_err(|error| Failure::from_io("mkdir", &[&HOME], &error))?;
    chown(HOME, Some(USER), Some(USER)).map_err(|error| Failure::from_io("chown", &[&HOME], &error))
}
