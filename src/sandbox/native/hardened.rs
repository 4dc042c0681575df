//! The profile `hardened`: as little as a program can live with.

use std::borrow::Cow;

use super::defaults;
use crate::spec::{Capabilities, Limits, Mount, Profile, Root, Settings, Size};

/// The settings themselves or, where they ask for the profile, what it sets with these settings in the place of its own.
pub(super) fn complete(settings: &Settings) -> Cow<'_, Settings> {
    match settings.profile {
        Some(Profile::Hardened) => Cow::Owned(profile().with(settings)),
        Some(Profile::Default) | None => Cow::Borrowed(settings),
    }
}

/// What the profile sets. All eight namespaces, `no_new_privs` and the default seccomp filter are the default already.
fn profile() -> Settings {
    let masks = defaults::MASKS.iter().chain(&TELLTALES).map(|path| (*path).to_owned());
    Settings {
        capabilities: Some(Capabilities { keep: Some(Vec::new()), drop: None }),
        root: Some(Root::ReadOnly),
        mounts: Some(vec![scratch()]),
        mask: Some(masks.collect()),
        limits: Some(limits()),
        ..Settings::default()
    }
}

/// The one place to write to, beside `/dev/shm`.
fn scratch() -> Mount {
    Mount {
        target: "/tmp".to_owned(),
        kind: Some("tmpfs".to_owned()),
        source: None,
        options: ["nosuid", "nodev", "noexec", "mode=1777", "size=16m", "nr_inodes=4096"]
            .map(str::to_owned)
            .to_vec(),
    }
}

/// Enough for a program of some threads and files. A core file would be written by the host (core(5)).
fn limits() -> Limits {
    Limits {
        nofile: Some(1024),
        nproc: Some(4096),
        core: Some(Size(0)),
        fsize: Some(Size(1 << 30)),
        memlock: Some(Size(64 << 10)),
        ..Limits::default()
    }
}

/// What `/proc` and `/sys` tell of the host beyond the default masks: its memory and addresses, its hardware and disks, its
/// modules and boot parameters, its counters, which other tenants can be told apart by.
const TELLTALES: [&str; 34] = [
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/crypto",
    "/proc/devices",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/key-users",
    "/proc/kmsg",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/locks",
    "/proc/misc",
    "/proc/modules",
    "/proc/mtrr",
    "/proc/pagetypeinfo",
    "/proc/partitions",
    "/proc/slabinfo",
    "/proc/softirqs",
    "/proc/swaps",
    "/proc/vmallocinfo",
    "/sys/block",
    // The same disks under other names.
    "/sys/class/block",
    "/sys/class/thermal",
    "/sys/dev",
    "/sys/devices/virtual/dmi",
    "/sys/devices/virtual/powercap",
    "/sys/fs/ext4",
    "/sys/kernel",
    "/sys/module",
    "/sys/power",
];
