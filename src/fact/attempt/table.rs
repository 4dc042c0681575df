//! The table of attempts. Each entry stands beside its code, in the file of its family.

use super::{
    create, entry, experiment, identity, ipc, key, listen, mount, namespace, nested, open, own_file, probes,
    process, rights, socket, socket_kind, syscall, terminal,
};
use crate::fact::Attempt;

/// All attempts, in the manual's order.
pub static ATTEMPTS: &[Attempt] = &[
    open::OPEN,
    open::WRITE,
    open::REWRITE,
    create::MKDIR,
    create::MKNOD,
    create::DEVICE,
    own_file::CHOWN,
    own_file::CHMOD,
    own_file::LOCKED_FILE,
    own_file::CHATTR,
    own_file::FILE_CAPABILITY,
    own_file::LEASE,
    own_file::FIBMAP,
    own_file::MAPPED_FILE,
    mount::MOUNT,
    mount::UMOUNT,
    mount::PIVOT_ROOT,
    mount::CHROOT,
    nested::NESTED_MOUNT,
    mount::OPEN_BY_HANDLE,
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
    entry::CLONE,
    entry::CONVENTION,
    socket::CONNECT,
    socket::BIND,
    rights::LINK,
    rights::NETLINK,
    rights::SEND_AS,
    rights::MESSAGE_QUEUE,
    rights::CAPBSET_DROP,
    rights::AUDIT,
    rights::RAISE_LIMIT,
    terminal::PUSH_INPUT,
    terminal::VHANGUP,
    key::FIND_KEY,
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
    experiment::EXPERIMENT,
];

/// The attempt of this verb.
pub fn find_attempt(name: &str) -> Option<&'static Attempt> {
    ATTEMPTS.iter().find(|attempt| attempt.name == name)
}
