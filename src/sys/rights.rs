//! Calls that ask for one capability each, with operands with which they do nothing.
#![expect(unsafe_code, reason = "these calls have no wrapper in the crates used here")]

use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// `PR_CAPBSET_DROP` of prctl(2), of a capability that does not exist: `CAP_SETPCAP` is looked for first, then EINVAL
/// (`cap_prctl_drop()` of security/commoncap.c).
pub fn drop_no_capability() -> nix::Result<()> {
    const NONE: libc::c_ulong = 1000;
    // SAFETY: the operation takes a number and touches no memory.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, NONE, 0, 0, 0) };
    Errno::result(result).map(drop)
}

/// Reads a message queue of the caller's own whose mode lets nobody read it: EACCES but for `CAP_IPC_OWNER` (svipc(7)).
/// Gives the failure of making the queue apart.
pub fn read_locked_queue() -> Result<nix::Result<()>, Errno> {
    // SAFETY: msgget takes plain numbers.
    let queue = Errno::result(unsafe { libc::msgget(libc::IPC_PRIVATE, 0) })?;
    // SAFETY: all zeroes is a valid `struct msqid_ds`.
    let mut status: libc::msqid_ds = unsafe { zeroed() };
    // SAFETY: the kernel writes one `struct msqid_ds` to a valid place.
    let read = Errno::result(unsafe { libc::msgctl(queue, libc::IPC_STAT, &raw mut status) }).map(drop);
    // SAFETY: the queue was made just now by this process, and IPC_RMID takes no pointer.
    let _removed = unsafe { libc::msgctl(queue, libc::IPC_RMID, std::ptr::null_mut()) };
    Ok(read)
}

/// Sets the flags of an interface to what they are: `CAP_NET_ADMIN` over the network namespace (netdevice(7)). Gives the
/// failure of reading them apart.
pub fn set_link_flags(name: &str) -> Result<nix::Result<()>, Errno> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all zeroes is a valid `struct ifreq`.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // The last byte stays 0, which ends the name.
    for (place, byte) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    // SAFETY: the kernel reads and writes one `struct ifreq` at a valid place.
    let read = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    Errno::result(read)?;
    // SAFETY: the kernel reads one `struct ifreq` from a valid place.
    let set = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Ok(Errno::result(set).map(drop))
}

/// Asks a netlink socket for the messages of all network namespaces: `CAP_NET_BROADCAST` (netlink(7)).
pub fn listen_to_all_namespaces(netlink: &OwnedFd) -> nix::Result<()> {
    const LISTEN_ALL_NSID: libc::c_int = 8;
    let (on, size) = (1_i32, libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(4));
    // SAFETY: the value is an integer of the size that is told.
    let result = unsafe {
        let value = (&raw const on).cast();
        libc::setsockopt(netlink.as_raw_fd(), libc::SOL_NETLINK, LISTEN_ALL_NSID, value, size)
    };
    Errno::result(result).map(drop)
}

/// ioctl(FIBMAP) with no place for the answer: `CAP_SYS_RAWIO` is looked for first, then EFAULT (`ioctl_fibmap()` of
/// fs/ioctl.c).
pub fn fibmap(file: BorrowedFd<'_>) -> nix::Result<()> {
    // include/uapi/linux/fs.h
    const FIBMAP: libc::Ioctl = 1;
    // SAFETY: a null pointer is no memory of this process: the kernel finds so and fails.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), FIBMAP, 0_usize) };
    Errno::result(result).map(drop)
}

/// `F_SETLEASE` of fcntl(2), for reading: EACCES for who neither owns the file nor has `CAP_LEASE`; then EINVAL for what is no
/// regular file, so that a lease is never really taken of a device.
pub fn lease(file: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the operation takes numbers and touches no memory.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) };
    Errno::result(result).map(drop)
}

/// Gives a lease back.
pub fn give_lease_back(file: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the operation takes numbers and touches no memory.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    Errno::result(result).map(drop)
}

/// ioctl(TIOCSTI) with no byte to push: first the rights are checked, then EFAULT (`tiocsti()` of `drivers/tty/tty_io.c`).
pub fn push_no_input(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: a null pointer is no memory of this process: the kernel finds so and fails.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSTI, 0_usize) };
    Errno::result(result).map(drop)
}

/// vhangup(2). The caller sees to it that it has no controlling terminal: it is that which is hung up.
pub fn vhangup() -> nix::Result<()> {
    // SAFETY: the call takes no operands.
    let result = unsafe { libc::syscall(libc::SYS_vhangup) };
    Errno::result(result).map(drop)
}

/// Makes a child that hides itself (`PR_SET_DUMPABLE` 0) and then waits to be killed; gives its PID once it is hidden.
///
/// The caller must have a single thread, and kills the child.
pub fn hidden_child() -> nix::Result<i32> {
    let (ready, tell) = nix::unistd::pipe()?;
    // SAFETY: the child has a copy of this memory, and makes only async-signal-safe calls.
    match unsafe { libc::fork() } {
        0 => hide(&tell),
        pid => {
            let pid = Errno::result(pid)?;
            drop(tell);
            // One byte, or the end of a child that died.
            let _told = nix::unistd::read(&ready, &mut [0]);
            Ok(pid)
        }
    }
}

fn hide(tell: &OwnedFd) -> ! {
    // SAFETY: the operation takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    // SAFETY: it dies with its parent, if that dies before it has killed it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let _told = nix::unistd::write(tell, b"!");
    loop {
        // SAFETY: pause(2) has no operands.
        unsafe { libc::pause() };
    }
}
