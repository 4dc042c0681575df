//! The table of attempts. Each entry stands beside its code, in the file of its family.

use super::{create, ipc, mount, namespace, open, probes, process, socket, syscall};
use crate::fact::Attempt;

/// All attempts, in the manual's order.
pub static ATTEMPTS: &[Attempt] = &[
    open::OPEN,
    open::WRITE,
    create::MKDIR,
    create::MKNOD,
    create::DEVICE,
    mount::MOUNT,
    mount::UMOUNT,
    mount::PIVOT_ROOT,
    mount::CHROOT,
    process::FORK,
    process::KILL,
    process::PTRACE,
    namespace::SETNS,
    namespace::UNSHARE,
    socket::CONNECT,
    socket::BIND,
    ipc::SHMGET,
    ipc::MSGGET,
    ipc::SEMGET,
    ipc::MQ_OPEN,
    ipc::FIND_KEY,
    probes::SETHOSTNAME,
    probes::SETTIMEOFDAY,
    probes::REBOOT,
    probes::INIT_MODULE,
    probes::BPF,
    probes::PERF_EVENT_OPEN,
    probes::USERFAULTFD,
    probes::IO_URING_SETUP,
    probes::KEYCTL,
    syscall::SYSCALL,
];

/// The attempt of this verb.
pub fn find_attempt(name: &str) -> Option<&'static Attempt> {
    ATTEMPTS.iter().find(|attempt| attempt.name == name)
}
