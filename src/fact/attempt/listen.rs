//! A listener that stays, so that there is something for others to reach.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{Backlog, bind, listen};

use super::socket::{Target, parse, try_each};
use crate::fact::{Attempt, Leaves};

/// `listen`
pub(super) const LISTEN: Attempt = Attempt {
    name: "listen",
    object: "\"tcp ADDRESS:PORT\" | \"unix PATH\" | \"abstract NAME\"",
    brief: "Binds a socket and listens on it until the sandbox ends.",
    long: "socket(2), bind(2) and listen(2). The socket stays open, and a unix socket's file stays: this is bait, which `connect` in \
           another sandbox, or a fact such as `sockets`, is to find or not. A datagram socket is bound and stays; it cannot listen.",
    example: "attempts: { listen: { \"tcp 127.0.0.1:4711\": allowed } }",
    leaves: Leaves::Something,
    check: |object| parse(object).map(drop),
    attempt: |object| try_each(object, "listen", listen_for_good),
};

fn listen_for_good(socket: &OwnedFd, target: &Target) -> nix::Result<()> {
    bind(socket.as_raw_fd(), target.address.as_ref())?;
    match listen(socket, Backlog::new(1)?) {
        Ok(()) | Err(Errno::EOPNOTSUPP) => {}
        Err(errno) => return Err(errno),
    }
    // The copy is never closed but by the end of the process.
    let _stays = socket.try_clone().map_err(|error| super::outcome::errno(&error))?.into_raw_fd();
    Ok(())
}
