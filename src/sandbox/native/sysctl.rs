//! To which namespace a kernel parameter belongs: whoever sets one that is not a sandbox's own sets the host's.

use crate::spec::Namespace;

/// The namespace that owns a parameter, by its dotted name; `None`: it is the whole machine's (the kernel's
/// Documentation/admin-guide/sysctl/, `namespaces(7)`, `ipc_namespaces(7)`, `pid_namespaces(7)`). `kernel.pid_max` is the machine's before
/// Linux 6.14, and counts as that.
pub(super) fn owner(name: &str) -> Option<Namespace> {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
    match name {
        "kernel.hostname" | "kernel.domainname" => Some(Namespace::Uts),
        "kernel.ns_last_pid" => Some(Namespace::Pid),
        "kernel.sem" | "kernel.auto_msgmni" => Some(Namespace::Ipc),
        _ if begins(&["kernel.shm", "kernel.msg", "kernel.sem_next_id", "fs.mqueue."]) => {
            Some(Namespace::Ipc)
        }
        _ if begins(&["net."]) => Some(Namespace::Net),
        _ if begins(&["user."]) => Some(Namespace::User),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_belong_to_namespaces_or_to_the_machine() {
        let check = |name: &str, expected: Option<Namespace>| assert_eq!(owner(name), expected, "{name}");
        check("net.ipv4.ip_forward", Some(Namespace::Net));
        check("user.max_user_namespaces", Some(Namespace::User));
        check("kernel.domainname", Some(Namespace::Uts));
        check("kernel.shmmax", Some(Namespace::Ipc));
        check("kernel.sem", Some(Namespace::Ipc));
        check("fs.mqueue.queues_max", Some(Namespace::Ipc));
        check("kernel.ns_last_pid", Some(Namespace::Pid));
        for name in [
            "vm.swappiness",
            "kernel.core_pattern",
            "fs.file-max",
            "kernel.pid_max",
            "kernel.shield",
            "kernel.sysrq",
        ] {
            check(name, None);
        }
    }
}
