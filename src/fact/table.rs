//! The table of facts. Each entry stands beside its observer, in the file of its area.

use super::{
    Fact, capabilities, cgroup, credentials, entries, fds, files, filesystems, helpers, inherited,
    kernel_config, keyrings, lifecycle, limits, lsm, machine, mounts, namespaces, net, paths, pivoted,
    posture, process, processes, program, reports, scratch, strays, sysctl, system,
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
    lsm::LSM,
    process::OOM_SCORE_ADJ,
    inherited::NICE,
    inherited::SIGNALS,
    inherited::PERSONALITY,
    process::UMASK,
    program::CWD,
    program::ROOT_DIRECTORY,
    program::EXE,
    program::CMDLINE,
    process::TTY,
    process::SESSION,
    fds::FDS,
    program::ENV,
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
    lifecycle::PARENT_DEATH_SIGNAL,
    keyrings::KEYRINGS,
    namespaces::NAMESPACES,
    posture::POSTURE,
    helpers::HELPERS,
    reports::REPORTS,
    scratch::SCRATCH,
    strays::STRAYS,
    system::UNAME,
    system::HOSTNAME,
    system::OS_RELEASE,
    sysctl::SYSCTLS,
    system::TIME_OFFSETS,
    kernel_config::KERNEL_CONFIG,
    system::BOOT_ID,
    machine::BOOT_TIME,
    machine::MACHINE,
    machine::PROCESSOR,
    files::FILES,
    paths::PATHS,
    mounts::MOUNTS,
    mounts::MOUNT_POINTS,
    pivoted::PIVOTED,
    filesystems::FILESYSTEMS,
    entries::ENTRIES,
    entries::DEVICE_NODES,
    net::INTERFACES,
    net::ADDRESSES,
    net::ROUTES,
    net::SOCKETS,
];

/// Says what is wrong with the argument that a spec gives to a fact; the empty text stands for none.
pub fn check_argument(fact: &Fact, argument: &str) -> Result<(), String> {
    match fact.argument {
        None if argument.is_empty() => Ok(()),
        None => Err(format!("`{}` takes no argument", fact.name)),
        Some(what) if argument.is_empty() => Err(format!("`{}` needs a {what}", fact.name)),
        Some("PATH") => paths::absolute(argument).map_err(|wrong| wrong.reason),
        Some(_) if argument.contains('\0') => Err("a name cannot hold a NUL byte".to_owned()),
        Some(_) if fact.name == "kernel_config" => kernel_config::check(argument),
        Some(_) if fact.name == "sysctls" => sysctl::file(argument).map(drop),
        Some(_) => Ok(()),
    }
}

/// The fact of this name.
pub fn find(name: &str) -> Option<&'static Fact> {
    TABLE.iter().find(|fact| fact.name == name)
}
