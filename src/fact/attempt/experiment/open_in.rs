//! Lookups that stay in a directory: openat2(2).

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::Experiment;
use super::ground::{directory, file, open_directory, own_scratch, tmpfs_at};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::settled;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "beneath",
        &["parent", "absolute", "link_out", "link_within", "dot_dot_within", "magic"],
        "openat2(RESOLVE_BENEATH) of a path",
        beneath,
    ),
    Experiment::of(
        "in_root",
        &["parent", "absolute", "link_out", "missing"],
        "openat2(RESOLVE_IN_ROOT) of a path: whose file is opened",
        in_root,
    ),
    Experiment::of(
        "no_xdev",
        &["mount", "same"],
        "openat2(RESOLVE_NO_XDEV) of a path on a mount below",
        no_xdev,
    ),
    Experiment::of(
        "no_links",
        &["symlink", "last", "magic", "magic_only"],
        "openat2(RESOLVE_NO_SYMLINKS or RESOLVE_NO_MAGICLINKS) of a path with a link",
        no_links,
    ),
    Experiment::of(
        "openat2",
        &["unknown_flag", "unknown_resolve", "both_roots", "creat_mode"],
        "openat2() with operands that openat() would overlook",
        wrong,
    ),
];

/// A directory `root` with `root/file`, and `file` beside it.
fn place() -> Result<OwnedFd, Trouble> {
    own_scratch()?;
    directory("root")?;
    directory("root/sub")?;
    std::fs::write("file", "outside").prepares("write(file)")?;
    std::fs::write("root/file", "inside").prepares("write(root/file)")?;
    for (link, target) in [("out", "../../file"), ("within", "../file"), ("absolute", "/file")] {
        std::os::unix::fs::symlink(target, format!("root/sub/{link}")).prepares("symlink()")?;
    }
    open_directory("root")
}

fn open(root: &OwnedFd, path: &str, resolve: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    settled(&Errno::AGAIN, || openat2(root, path, flags, Mode::empty(), resolve))
}

/// Without the restriction the path leads somewhere.
fn leads(root: &OwnedFd, path: &str) -> Result<(), Trouble> {
    control(open(root, path, ResolveFlags::empty()).is_ok(), "without the restriction it is opened")
}

fn beneath(what: &str) -> Seen {
    let root = place()?;
    let path = match what {
        "parent" => "../file",
        "absolute" => "/proc/self/status",
        "link_out" => "sub/out",
        "link_within" => "sub/within",
        "magic" => return magic(ResolveFlags::BENEATH),
        _ => "sub/../file",
    };
    leads(&root, path)?;
    tried(open(&root, path, ResolveFlags::BENEATH))
}

fn in_root(what: &str) -> Seen {
    let root = place()?;
    let path = match what {
        "parent" => "../../../file",
        "absolute" => "/file",
        "missing" => "/proc/self/status",
        _ => "sub/absolute",
    };
    let opened = open(&root, path, ResolveFlags::IN_ROOT);
    if what == "missing" {
        leads(&root, path)?;
        return tried(opened);
    }
    let text = std::io::read_to_string(std::fs::File::from(opened.prepares("openat2(RESOLVE_IN_ROOT)")?));
    gave(text.prepares("read()")?)
}

fn no_xdev(what: &str) -> Seen {
    let root = place()?;
    tmpfs_at("root/mount")?;
    file("root/mount/file")?;
    let path = if what == "mount" { "mount/file" } else { "sub/../file" };
    leads(&root, path)?;
    tried(open(&root, path, ResolveFlags::NO_XDEV))
}

/// A link of /proc leads to a file without going the way there.
fn magic(resolve: ResolveFlags) -> Seen {
    let proc = open_directory("/proc/self/fd")?;
    let file = open_directory("root")?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&file.as_fd()).to_string();
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    control(
        openat2(&proc, &*number, flags, Mode::empty(), ResolveFlags::empty()).is_ok(),
        "without the restriction it is opened",
    )?;
    tried(openat2(&proc, &*number, flags, Mode::empty(), resolve))
}

fn no_links(what: &str) -> Seen {
    let root = place()?;
    match what {
        "magic" => magic(ResolveFlags::NO_MAGICLINKS),
        "magic_only" => {
            leads(&root, "sub/within")?;
            tried(open(&root, "sub/within", ResolveFlags::NO_MAGICLINKS))
        }
        "last" => {
            leads(&root, "sub/within")?;
            tried(open(&root, "sub/within", ResolveFlags::NO_SYMLINKS))
        }
        _ => {
            std::os::unix::fs::symlink("sub", "root/link").prepares("symlink()")?;
            leads(&root, "link/../file")?;
            tried(open(&root, "link/../file", ResolveFlags::NO_SYMLINKS))
        }
    }
}

fn wrong(what: &str) -> Seen {
    let root = place()?;
    leads(&root, "file")?;
    let read = OFlags::RDONLY | OFlags::CLOEXEC;
    let both = ResolveFlags::BENEATH | ResolveFlags::IN_ROOT;
    match what {
        "unknown_flag" => tried(openat2(
            &root,
            "file",
            read | OFlags::from_bits_retain(1 << 30),
            Mode::empty(),
            ResolveFlags::empty(),
        )),
        "unknown_resolve" => tried(open(&root, "file", ResolveFlags::from_bits_retain(1 << 40))),
        "both_roots" => tried(open(&root, "file", both)),
        _ => tried(openat2(&root, "file", read, Mode::RUSR, ResolveFlags::empty())),
    }
}
