//! The table of attempts. Each entry stands beside its code, in the file of its family.

use super::{
    create, identity, ipc, listen, mount, namespace, nested, open, probes, process, socket, socket_kind,
    syscall,
};
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
    nested::NESTED_MOUNT,
    process::FORK,
    process::KILL,
    process::PTRACE,
    namespace::SETNS,
    namespace::UNSHARE,
    identity::SETUID,
    identity::SETGID,
    ipc::MAKE_IPC,
    ipc::OPEN_IPC,
    socket_kind::SOCKET,
    listen::LISTEN,
    socket::CONNECT,
    socket::BIND,
    probes::SETHOSTNAME,
    probes::SETTIMEOFDAY,
    probes::ADJTIMEX,
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
