//! Calls of the kernel about processes, namespaces and descriptors that have no wrapper in nix or rustix.
#![expect(unsafe_code, reason = "the calls are made by their numbers")]

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// listmount(2), Linux 6.8, whose number is the same on all 64-bit architectures; libc does not have it.
const LISTMOUNT: libc::c_long = 458;
/// include/uapi/asm-generic/fcntl.h; libc does not have it.
const F_SETSIG: libc::c_int = 10;

/// `pidfd_open(2)`.
pub fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes numbers.
    own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// `pidfd_send_signal(2)`, without a siginfo.
pub fn pidfd_send_signal(pidfd: &impl AsFd, signal: i32) -> nix::Result<()> {
    let pidfd = pidfd.as_fd().as_raw_fd();
    // SAFETY: a null pointer stands for no siginfo.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, 0_usize, 0) };
    Errno::result(result).map(drop)
}

/// `pidfd_getfd(2)`.
pub fn pidfd_getfd(pidfd: &impl AsFd, number: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes numbers.
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_fd().as_raw_fd(), number, 0) })
}

/// setns(2) on whatever number, which need not be a descriptor.
pub fn setns_number(number: RawFd, flags: i32) -> nix::Result<()> {
    // SAFETY: the call takes numbers.
    Errno::result(unsafe { libc::setns(number, flags) }).map(drop)
}

/// What two processes may have in common: kcmp(2).
#[derive(Debug, Clone, Copy)]
pub enum Common {
    /// The file behind a descriptor of each.
    File(RawFd, RawFd),
    /// The table of descriptors.
    Files,
    /// The memory.
    Memory,
}

/// kcmp(2): whether they have it in common.
pub fn kcmp(first: i32, second: i32, what: Common) -> nix::Result<bool> {
    // include/uapi/linux/kcmp.h
    let (kind, one, other) = match what {
        Common::File(one, other) => (0, one, other),
        Common::Memory => (1, 0, 0),
        Common::Files => (2, 0, 0),
    };
    // SAFETY: the call takes numbers.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, first, second, kind, one, other) };
    Errno::result(order).map(|order| order == 0)
}

/// `close_range(2)`, from a number on, with its flags only: without any it would close descriptors that others own.
pub fn close_range_flagged(first: u32, flags: u32) -> nix::Result<()> {
    // SAFETY: only an experiment's own process does this, and nothing of its other descriptors is used after.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) }).map(drop)
}

/// `close_range(2)` whose first number is beyond its last: it closes nothing.
pub fn close_range_backwards() -> nix::Result<()> {
    // SAFETY: there is no descriptor between the two.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 101, 100, 0) }).map(drop)
}

/// ioctl(2) of a namespace's descriptor that gives another descriptor: `NS_GET_USERNS`, `NS_GET_PARENT`; `ioctl_nsfs(2)`.
pub fn related_namespace(namespace: &impl AsFd, request: libc::Ioctl) -> nix::Result<OwnedFd> {
    // SAFETY: the request takes no operand.
    own(unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), request) }.into())
}

/// `NS_GET_NSTYPE`: the kind of a namespace as its `CLONE_NEW*`.
pub fn namespace_type(namespace: &impl AsFd) -> nix::Result<i32> {
    // SAFETY: the request takes no operand.
    Errno::result(unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), libc::NS_GET_NSTYPE) })
}

/// `NS_GET_OWNER_UID`: the user who made a user namespace.
pub fn owner_uid(namespace: &impl AsFd) -> nix::Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: the kernel writes one `uid_t` to a valid place.
    let result = unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), libc::NS_GET_OWNER_UID, &raw mut uid) };
    Errno::result(result).map(|_| uid)
}

/// The cookie of the network namespace that a socket belongs to: `SO_NETNS_COOKIE` of socket(7), Linux 5.14.
pub fn network_cookie(socket: &impl AsFd) -> nix::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).unwrap_or(8);
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes eight bytes at most, as many as are told.
    let result = unsafe {
        let value = (&raw mut cookie).cast();
        libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE, value, &raw mut length)
    };
    Errno::result(result).map(|_| cookie)
}

/// What `mount_setattr(2)` is to change.
#[derive(Debug, Default, Clone, Copy)]
pub struct MountChange<'a> {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// `MS_SHARED`, `MS_PRIVATE`, …
    pub propagation: u64,
    /// The user namespace of `MOUNT_ATTR_IDMAP`.
    pub user: Option<BorrowedFd<'a>>,
    /// Bytes that come after those of the structure.
    pub tail: &'a [u8],
}

/// `mount_setattr(2)`, Linux 5.12, at a path below a directory, or at the descriptor itself where the path is empty.
pub fn mount_setattr(
    at: BorrowedFd<'_>,
    path: &CStr,
    flags: i32,
    change: &MountChange<'_>,
) -> nix::Result<()> {
    let user = change.user.map_or(0, |fd| u64::from(fd.as_raw_fd().unsigned_abs()));
    let mut bytes: Vec<u8> = [change.set, change.clear, change.propagation, user]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    bytes.extend_from_slice(change.tail);
    // SAFETY: the path is a C string, and the structure has as many bytes as are told; the kernel only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            bytes.as_ptr(),
            bytes.len(),
        )
    };
    Errno::result(result).map(drop)
}

/// The same with a structure of this many bytes, all zero, which is too short.
pub fn mount_setattr_of_size(at: BorrowedFd<'_>, size: usize) -> nix::Result<()> {
    let bytes = [0_u8; 64];
    // SAFETY: the path is a C string, and the array is no shorter than what is told; the kernel only reads it.
    let result = unsafe {
        let size = size.min(bytes.len());
        libc::syscall(libc::SYS_mount_setattr, at.as_raw_fd(), c"a".as_ptr(), 0, bytes.as_ptr(), size)
    };
    Errno::result(result).map(drop)
}

/// `move_mount(2)` with whatever flags.
pub fn move_mount(from: BorrowedFd<'_>, to: BorrowedFd<'_>, flags: u32) -> nix::Result<()> {
    let (from, to, empty) = (from.as_raw_fd(), to.as_raw_fd(), c"".as_ptr());
    // SAFETY: the paths are empty C strings.
    Errno::result(unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) }).map(drop)
}

/// The identifiers of the mounts below the caller's root: listmount(2), Linux 6.8. At most 4096.
pub fn list_mounts() -> nix::Result<usize> {
    // struct mnt_id_req: size, spare, LSMT_ROOT, the last that was given; include/uapi/linux/mount.h.
    let request: [u64; 3] = [24, u64::MAX, 0];
    let mut ids = vec![0_u64; 4096];
    // SAFETY: the kernel reads a request of 24 bytes, and writes as many identifiers as are told.
    let count = unsafe { libc::syscall(LISTMOUNT, request.as_ptr(), ids.as_mut_ptr(), ids.len(), 0) };
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or_default())
}

/// execve(2), with an empty environment; it returns only where it fails.
pub fn execute(path: &CStr, words: &[&CStr]) -> Errno {
    let mut pointers: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null()];
    // SAFETY: both lists end with a null pointer, and what they point to outlives the call.
    unsafe { libc::execve(path.as_ptr(), pointers.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

/// Has the file's readiness be told by a signal that says which descriptor it was: `F_SETOWN`, `F_SETSIG`, `O_ASYNC` of fcntl(2).
pub fn signal_when_ready(file: &impl AsFd, owner: i32, signal: i32) -> nix::Result<()> {
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the operation takes numbers.
    Errno::result(unsafe { libc::fcntl(file, libc::F_SETOWN, owner) })?;
    // SAFETY: the operation takes numbers.
    Errno::result(unsafe { libc::fcntl(file, F_SETSIG, signal) })?;
    // SAFETY: the operation takes numbers.
    Errno::result(unsafe { libc::fcntl(file, libc::F_SETFL, libc::O_ASYNC) }).map(drop)
}

/// `mq_open(3)` that leaves the queue open. One that is made has room for one message of a byte: all queues of a user count against his
/// `RLIMIT_MSGQUEUE`.
pub fn open_queue(name: &str, make: bool) -> nix::Result<OwnedFd> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let flags = libc::O_RDWR | libc::O_CLOEXEC | if make { libc::O_CREAT | libc::O_EXCL } else { 0 };
    // SAFETY: numbers, of which zeros are as good as any.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    (attributes.mq_maxmsg, attributes.mq_msgsize) = (1, 1);
    // SAFETY: the name and the attributes outlive the call, which reads the mode and the attributes only with O_CREAT.
    own(unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, &raw mut attributes) }.into())
}

/// `mq_unlink(3)`.
pub fn remove_queue(name: &str) -> nix::Result<()> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the name outlives the call.
    Errno::result(unsafe { libc::mq_unlink(name.as_ptr()) }).map(drop)
}

/// getrlimit(2), then setrlimit(2), of the number of descriptors: both limits to this.
pub fn limit_descriptors(most: u64) -> nix::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the kernel reads one `struct rlimit`.
    Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(drop)
}

/// The descriptor that a call has returned.
fn own(result: libc::c_long) -> nix::Result<OwnedFd> {
    let number = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made it, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
