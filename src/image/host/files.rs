//! The few files that an image of host programs has of its own, so that it can be told from the host.

/// Path and content of each.
pub(super) const FILES: &[(&str, &str)] = &[
    ("etc/passwd", PASSWD),
    ("etc/group", GROUP),
    ("etc/os-release", OS_RELEASE),
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

const OS_RELEASE: &str = "\
ID=airtight-base
NAME=\"airtight base\"
PRETTY_NAME=\"airtight base, of the host's own programs\"
VERSION_ID=1
";
