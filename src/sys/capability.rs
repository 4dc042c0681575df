//! The names of the capabilities, by number (include/uapi/linux/capability.h).

use rustix::thread::CapabilitySet;

/// Lower case, without `CAP_`; the index is the number.
pub const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The number of the capability with this name.
pub fn capability_number(name: &str) -> Option<u8> {
    CAPABILITIES.iter().position(|known| *known == name).and_then(|number| u8::try_from(number).ok())
}

/// Whether a program that this process starts can have the capability: it is in the bounding set (capabilities(7)).
pub fn may_give(name: &str) -> bool {
    let capability =
        capability_number(name).and_then(|number| CapabilitySet::from_bits(1 << u64::from(number)));
    capability
        .is_some_and(|capability| rustix::thread::capability_is_in_bounding_set(capability).unwrap_or(false))
}
