//! What a native sandbox is where the spec says nothing.

use indexmap::IndexMap;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment of every process.
pub(super) fn environment() -> IndexMap<String, String> {
    [("PATH".to_owned(), PATH.to_owned())].into()
}

/// The host name in a UTS namespace of its own.
pub(super) const HOSTNAME: &str = "airtight";

/// Where the ids of a user namespace made by root begin on the host, and how many there are: nothing of the host's owns
/// them, and least of all root.
pub(super) const FIRST_ID: u32 = 100_000;
pub(super) const ID_COUNT: u32 = 65_536;

/// The capabilities of uid 0: what container engines leave to the root of a container. Other users have none.
pub(super) const CAPABILITIES: [&str; 14] = [
    "chown",
    "dac_override",
    "fsetid",
    "fowner",
    "mknod",
    "net_raw",
    "setgid",
    "setuid",
    "setfcap",
    "setpcap",
    "net_bind_service",
    "sys_chroot",
    "kill",
    "audit_write",
];

/// Hidden paths: the OCI runtimes' list of what `/proc` and `/sys` tell of the host.
pub(super) const MASKS: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// Read-only paths, from the same list.
pub(super) const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
