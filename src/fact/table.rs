//! The table of facts. Each entry stands beside its observer, in the file of its area.

use super::{
    Fact, capabilities, cgroup, credentials, fds, files, kernel_config, keyrings, lifecycle, limits, mounts,
    namespaces, net, paths, process, processes, sysctl, system,
};

/// All facts, in the manual's order.
pub static TABLE: &[Fact] = &[
    process::PID,
    process::PPID,
    process::NSPID,
    credentials::UID,
    credentials::GID,
    credentials::UIDS,
    credentials::GIDS,
    credentials::GROUPS,
    capabilities::CAPABILITIES,
    credentials::NO_NEW_PRIVS,
    credentials::SECCOMP,
    credentials::SECCOMP_FILTERS,
    process::LSM,
    process::OOM_SCORE_ADJ,
    process::UMASK,
    process::CWD,
    process::ROOT_DIRECTORY,
    process::EXE,
    process::CMDLINE,
    process::TTY,
    process::SESSION,
    fds::FDS,
    process::ENV,
    credentials::UID_MAP,
    credentials::GID_MAP,
    credentials::SETGROUPS,
    limits::LIMITS_FACT,
    cgroup::CGROUP,
    processes::PROCESSES,
    lifecycle::ALIVE,
    lifecycle::STATE,
    lifecycle::ENDED_BY,
    lifecycle::EXIT_CODE,
    keyrings::KEYRINGS,
    namespaces::NAMESPACES,
    system::UNAME,
    system::HOSTNAME,
    system::OS_RELEASE,
    sysctl::SYSCTLS,
    system::TIME_OFFSETS,
    kernel_config::KERNEL_CONFIG,
    process::BOOT_ID,
    files::FILES,
    paths::PATHS,
    mounts::MOUNTS,
    mounts::MOUNT_POINTS,
    net::INTERFACES,
    net::ADDRESSES,
    net::ROUTES,
    net::SOCKETS,
];

/// The fact of this name.
pub fn find(name: &str) -> Option<&'static Fact> {
    TABLE.iter().find(|fact| fact.name == name)
}
