//! The few files that an image of host programs has of its own, so that it can be told from the host.

/// Path and content of each.
pub(super) const FILES: &[(&str, &str)] = &[
    ("etc/passwd", PASSWD),
    ("etc/group", GROUP),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
    ("etc/shells", "/bin/sh\n"),
    ("etc/profile", "PATH=/usr/local/bin:/usr/bin:/bin\nexport PATH\n"),
];

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
";

const GROUP: &str = "\
root:x:0:
daemon:x:1:
tty:x:5:
users:x:100:
nogroup:x:65534:
";

/// The release file of the image with this name.
pub(super) fn os_release(name: &str) -> String {
    format!(
        "ID=airtight-{name}\nNAME=\"airtight {name}\"\nPRETTY_NAME=\"airtight {name}, of the host's own programs\"\nVERSION_ID=1\n"
    )
}
