//! Messages with descriptors, over a unix socket that keeps their bounds (`SOCK_SEQPACKET`).
#![expect(unsafe_code, reason = "received descriptors are raw numbers until someone owns them")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, sendmsg,
    socketpair,
};

use super::{Failure, Result};

/// The longest message; a longer one is an error on the sending side. The kernel's default send buffer holds 208 KiB.
const LONGEST: usize = 160 * 1024;

/// The most descriptors in one message.
const MOST_FDS: usize = 8;

/// A received message.
#[derive(Debug, Default)]
pub struct Packet {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The descriptors that came with it, close-on-exec.
    pub fds: Vec<OwnedFd>,
}

/// Two connected sockets that keep message bounds, close-on-exec.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|errno| Failure::new("socketpair", &[&"AF_UNIX"], errno))
}

/// Sends one message whole, with descriptors. A peer that has gone is EPIPE, never a signal.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[RawFd]) -> Result<()> {
    // The receiver would cut it.
    if bytes.len() > LONGEST {
        return Err(Failure::new("sendmsg", &[&bytes.len()], Errno::EMSGSIZE));
    }
    let rights = [ControlMessage::ScmRights(fds)];
    let control: &[ControlMessage<'_>] = if fds.is_empty() { &[] } else { &rights };
    let slices = [IoSlice::new(bytes)];
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &slices, control, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::new("sendmsg", &[&bytes.len()], errno)),
        }
    }
}

/// Receives one message; `None` when the peer has gone.
pub fn receive(socket: BorrowedFd<'_>) -> Result<Option<Packet>> {
    let length = length_of_next(socket)?;
    // What a peer said before it reset the connection is still there, for the next call.
    if length == 0 {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    let mut control = cmsg_space!([RawFd; MOST_FDS]);
    let (length, fds) = receive_into(socket, &mut bytes, &mut control)?;
    bytes.truncate(length);
    Ok((length > 0).then_some(Packet { bytes, fds }))
}

/// The length of the message that is there or comes next, so that no more memory is touched than it needs.
fn length_of_next(socket: BorrowedFd<'_>) -> Result<usize> {
    loop {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
        match recv(socket.as_raw_fd(), &mut [], flags) {
            Ok(length) => return Ok(length.min(LONGEST)),
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNRESET) => return Ok(0),
            Err(errno) => return Err(Failure::new("recv", &[], errno)),
        }
    }
}

fn receive_into(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    control: &mut [u8],
) -> Result<(usize, Vec<OwnedFd>)> {
    let mut slices = [IoSliceMut::new(bytes)];
    let failed = |errno| Failure::new("recvmsg", &[], errno);
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(control), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            // A peer that died with unread messages resets the connection; for the reader it has gone all the same.
            Err(Errno::ECONNRESET) => return Ok((0, Vec::new())),
            other => break other.map_err(failed)?,
        }
    };
    let mut fds = Vec::new();
    for part in message.cmsgs().map_err(failed)? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just made these descriptors for us, and nobody else knows their numbers.
            fds.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    Ok((message.bytes, fds))
}
