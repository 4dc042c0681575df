//! Network interfaces.
#![expect(unsafe_code, reason = "interface flags are set by ioctl")]

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::{Failure, Result};

/// Brings the loopback interface of the caller's network namespace up: in a new one it is down (`network_namespaces(7)`).
pub fn bring_loopback_up() -> Result<()> {
    let failed = |errno| Failure::new("ioctl", &[&"SIOCSIFFLAGS", &"lo"], errno);
    let socket = match socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None) {
        // A kernel that is built without the internet's protocols has nothing to bring up.
        Err(Errno::EAFNOSUPPORT) => return Ok(()),
        made => made.map_err(|errno| Failure::new("socket", &[&"AF_INET"], errno))?,
    };
    // SAFETY: all zeroes is a valid `struct ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).unwrap_or(1);
    // SAFETY: the kernel reads one `struct ifreq` from a valid reference.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(failed(Errno::last())) }
}
