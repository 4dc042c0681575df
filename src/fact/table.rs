//! The table of facts. Each entry stands beside its observer, in the file of its area.

use super::{Fact, namespaces, process, system};

/// All facts, in the manual's order.
pub static TABLE: &[Fact] = &[
    process::PID,
    process::PPID,
    process::NSPID,
    process::SESSION,
    process::TTY,
    process::OOM_SCORE_ADJ,
    process::UMASK,
    process::CWD,
    process::ROOT_DIRECTORY,
    process::EXE,
    process::CMDLINE,
    process::ENV,
    process::LSM,
    namespaces::NAMESPACES,
    system::UNAME,
    system::HOSTNAME,
    system::OS_RELEASE,
    system::TIME_OFFSETS,
    process::BOOT_ID,
];

/// The fact of this name.
pub fn find(name: &str) -> Option<&'static Fact> {
    TABLE.iter().find(|fact| fact.name == name)
}
