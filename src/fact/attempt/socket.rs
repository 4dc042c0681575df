//! Connecting and binding sockets.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, bind, connect, getsockopt,
    socket, sockopt::SocketError,
};

use super::outcome::{check_path, outcome};
use crate::fact::{Attempt, Leaves, Reading, Unobserved};
use crate::sys::pipe::wait;

/// How long a connection may take: what does not answer in this time is ETIMEDOUT.
const PATIENCE: Duration = Duration::from_secs(1);

/// `connect`
pub(super) const CONNECT: Attempt = Attempt {
    name: "connect",
    object: "\"tcp ADDRESS:PORT\" | \"udp …\" | \"unix PATH\" | \"abstract NAME\"",
    brief: "Connects a socket: `tcp 127.0.0.1:80`, `unix /run/docker.sock`, `abstract NAME`.",
    long: "socket(2) and connect(2), without blocking and for one second at most (then ETIMEDOUT), then close. Nothing is \
           sent. A unix socket is tried as a stream, a datagram and a sequenced-packet socket.",
    example: "attempts: { connect: { \"tcp 127.0.0.1:1\": { fails: ECONNREFUSED } } }",
    leaves: Leaves::Something,
    check: |object| parse(object).map(drop),
    attempt: |object| try_each(object, "connect", connect_once),
};

/// `bind`
pub(super) const BIND: Attempt = Attempt {
    name: "bind",
    object: "\"tcp ADDRESS:PORT\" | \"udp …\" | \"unix PATH\" | \"abstract NAME\"",
    brief: "Binds a socket to an address: `tcp 0.0.0.0:80`.",
    long: "socket(2) and bind(2), then close; the file of a unix socket is unlinked. It does not listen.",
    example: "attempts: { bind: { \"tcp 127.0.0.1:0\": allowed } }",
    leaves: Leaves::Nothing,
    check: |object| parse(object).map(drop),
    attempt: |object| {
        try_each(object, "bind", |socket, target| {
            bind(socket.as_raw_fd(), target.address.as_ref())?;
            if let Some(path) = &target.path {
                // It was made just now: bind(2) fails with EADDRINUSE on a file that is there.
                drop(std::fs::remove_file(path));
            }
            Ok(())
        })
    },
};

/// An address, and the types of socket that can have it.
pub(super) struct Target {
    pub(super) address: Box<dyn SockaddrLike>,
    family: AddressFamily,
    types: &'static [SockType],
    path: Option<String>,
}

const UNIX_TYPES: &[SockType] = &[SockType::Stream, SockType::Datagram, SockType::SeqPacket];

pub(super) fn parse(object: &str) -> Result<Target, String> {
    match object.split_once(' ') {
        Some(("tcp", address)) => inet(address, &[SockType::Stream]),
        Some(("udp", address)) => inet(address, &[SockType::Datagram]),
        Some(("unix", path)) => check_path(path).and_then(|()| unix(UnixAddr::new(path), Some(path))),
        Some(("abstract", name)) if !name.is_empty() => unix(UnixAddr::new_abstract(name.as_bytes()), None),
        _ => Err(format!(
            "`{object}` is no address: write `tcp 127.0.0.1:80`, `unix /PATH` or `abstract NAME`"
        )),
    }
}

fn inet(text: &str, types: &'static [SockType]) -> Result<Target, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("`{text}` is no address: write numbers, `127.0.0.1:80` or `[::1]:80`"))?;
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    Ok(Target { address: Box::new(SockaddrStorage::from(address)), family, types, path: None })
}

fn unix(address: nix::Result<UnixAddr>, path: Option<&str>) -> Result<Target, String> {
    let address = address.map_err(|_| "a unix socket's name has 107 bytes at most".to_owned())?;
    let path = path.map(str::to_owned);
    Ok(Target { address: Box::new(address), family: AddressFamily::Unix, types: UNIX_TYPES, path })
}

pub(super) type Call = fn(&OwnedFd, &Target) -> nix::Result<()>;

/// Tries each type of socket, as long as the kernel says that it is the wrong one.
pub(super) fn try_each(object: &str, name: &str, call: Call) -> Result<Reading, Unobserved> {
    let target = parse(object).map_err(Unobserved::because)?;
    let mut result = Err(Errno::EPROTOTYPE);
    for kind in target.types {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        result = match socket(target.family, *kind, flags, None) {
            Ok(socket) => call(&socket, &target),
            Err(errno) => return outcome(&format!("socket({:?})", target.family), Err(errno)),
        };
        if result != Err(Errno::EPROTOTYPE) {
            break;
        }
    }
    outcome(&format!("{name}({object:?})"), result)
}

fn connect_once(socket: &OwnedFd, target: &Target) -> nix::Result<()> {
    match connect(socket.as_raw_fd(), target.address.as_ref()) {
        Err(Errno::EINPROGRESS) => {}
        result => return result,
    }
    let ready = wait(socket.as_fd(), PollFlags::POLLOUT, Instant::now() + PATIENCE);
    if !ready.map_err(|failure| Errno::from_raw(failure.errno))? {
        return Err(Errno::ETIMEDOUT);
    }
    match getsockopt(socket, SocketError)? {
        0 => Ok(()),
        error => Err(Errno::from_raw(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    #[test]
    fn addresses_are_checked() {
        for right in ["tcp 127.0.0.1:80", "udp [::1]:53", "unix /run/x.sock", "abstract a b"] {
            assert!(parse(right).is_ok(), "{right}");
        }
        let long = format!("unix /{}", "a".repeat(108));
        for wrong in ["", "tcp", "tcp localhost:80", "tcp 127.0.0.1", "unix run", "abstract ", "ip 1", &long]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_connection_is_really_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let _unix = UnixListener::bind(path("stream")).unwrap();
        let _datagram = UnixDatagram::bind(path("datagram")).unwrap();
        let check = |object: &str, expected: serde_json::Value| {
            assert_eq!((CONNECT.attempt)(object).unwrap().value, expected, "{object}");
        };
        check(&format!("tcp {}", tcp.local_addr().unwrap()), "allowed".into());
        check(&format!("unix {}", path("stream")), "allowed".into());
        check(&format!("unix {}", path("datagram")), "allowed".into());
        check(&format!("unix {}", path("none")), serde_json::json!({ "failed": "ENOENT" }));
        check("abstract airtight-nobody", serde_json::json!({ "failed": "ECONNREFUSED" }));
    }

    #[test]
    fn a_bound_socket_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bound");
        let object = format!("unix {}", path.display());
        assert_eq!((BIND.attempt)(&object).unwrap().value, "allowed");
        assert!(!path.exists());
        std::fs::write(&path, "kept").unwrap();
        assert_eq!((BIND.attempt)(&object).unwrap().value, serde_json::json!({ "failed": "EADDRINUSE" }));
        assert!(path.exists());
    }
}
