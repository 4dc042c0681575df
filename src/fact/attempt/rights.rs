//! What capabilities guard beside files: credentials, the network, IPC, the audit trail.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, UnixCredentials,
    bind, recv, send, sendmsg, socket, socketpair,
};
use nix::unistd::{getegid, geteuid, getpid};

use super::outcome::{check_probe, outcome, probe, unprepared, with_undoing};
use crate::fact::{Attempt, Leaves, Unobserved};
use crate::sys::rights;

/// `send_as`
pub(super) const SEND_AS: Attempt = Attempt {
    name: "send_as",
    object: "\"uid N\" | \"gid N\" | \"pid N\"",
    brief: "Sends itself a message in the name of another user, group or process.",
    long: "socketpair(2), then sendmsg(2) with SCM_CREDENTIALS that are its own but for one id, which asks for CAP_SETUID, \
           CAP_SETGID or CAP_SYS_ADMIN: unix(7). The right to send as another user is the right to become that user. An \
           id that is not mapped is EINVAL; a PID that nobody has is ESRCH, which counts as allowed.",
    example: "attempts: { send_as: { uid 1: allowed } }",
    leaves: Leaves::Nothing,
    check: |object| parse_name(object).map(drop),
    attempt: |object| {
        let credentials = parse_name(object).map_err(Unobserved::because)?;
        let pair = socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::SOCK_CLOEXEC);
        let (_receiver, sender) = pair.map_err(|errno| unprepared("socketpair", errno))?;
        let (text, control) = ([IoSlice::new(b"!")], [ControlMessage::ScmCredentials(&credentials)]);
        let sent = sendmsg::<()>(sender.as_raw_fd(), &text, &control, MsgFlags::empty(), None).map(drop);
        let call = format!("sendmsg(SCM_CREDENTIALS, {object})");
        if sent == Err(Errno::ESRCH) { probe(&call, sent) } else { outcome(&call, sent) }
    },
};

/// `capbset_drop`
pub(super) const CAPBSET_DROP: Attempt = Attempt {
    name: "capbset_drop",
    object: "probe",
    brief: "Asks whether it may change its bounding set.",
    long: "prctl(PR_CAPBSET_DROP) of a capability that does not exist: the kernel looks for CAP_SETPCAP first, and then \
           refuses the number with EINVAL, which counts as allowed.",
    example: "attempts: { capbset_drop: { probe: allowed } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| probe("prctl(PR_CAPBSET_DROP, 1000)", rights::drop_no_capability()),
};

/// `link`
pub(super) const LINK: Attempt = Attempt {
    name: "link",
    object: "INTERFACE",
    brief: "Sets the flags of a network interface, to what they are.",
    long: "ioctl(SIOCGIFFLAGS), then ioctl(SIOCSIFFLAGS) with the same: CAP_NET_ADMIN over the network namespace, \
           netdevice(7).",
    example: "attempts: { link: { lo: denied } }",
    leaves: Leaves::Something,
    check: |object| match object.len() {
        1..16 if !object.contains('\0') => Ok(()),
        _ => Err("an interface's name has 1 to 15 bytes".to_owned()),
    },
    attempt: |name| {
        let set = rights::set_link_flags(name).map_err(|errno| unprepared("ioctl(SIOCGIFFLAGS)", errno))?;
        outcome(&format!("ioctl(SIOCSIFFLAGS, {name})"), set)
    },
};

/// `netlink`
pub(super) const NETLINK: Attempt = Attempt {
    name: "netlink",
    object: "all_namespaces",
    brief: "Asks for the netlink messages of all network namespaces.",
    long: "setsockopt(NETLINK_LISTEN_ALL_NSID), netlink(7): CAP_NET_BROADCAST.",
    example: "attempts: { netlink: { all_namespaces: denied } }",
    leaves: Leaves::Nothing,
    check: |object| {
        if object == "all_namespaces" { Ok(()) } else { Err("write `all_namespaces`".to_owned()) }
    },
    attempt: |_| {
        let socket = netlink(SockProtocol::NetlinkRoute)?;
        outcome("setsockopt(NETLINK_LISTEN_ALL_NSID)", rights::listen_to_all_namespaces(&socket))
    },
};

/// `message_queue`
pub(super) const MESSAGE_QUEUE: Attempt = Attempt {
    name: "message_queue",
    object: "locked",
    brief: "Looks at a message queue of its own whose mode lets nobody look at it.",
    long: "msgget(IPC_PRIVATE) of mode 000, then msgctl(IPC_STAT), then IPC_RMID: CAP_IPC_OWNER, svipc(7).",
    example: "attempts: { message_queue: { locked: denied } }",
    leaves: Leaves::Nothing,
    check: |object| if object == "locked" { Ok(()) } else { Err("write `locked`".to_owned()) },
    attempt: |_| {
        let read = rights::read_locked_queue().map_err(|errno| unprepared("msgget(IPC_PRIVATE)", errno))?;
        outcome("msgctl(IPC_STAT)", read)
    },
};

/// `audit`
pub(super) const AUDIT: Attempt = Attempt {
    name: "audit",
    object: "read | write",
    brief: "Reads the audit trail, or writes an empty message to it.",
    long: "A netlink socket of NETLINK_AUDIT. `read` joins the group AUDIT_NLGRP_READLOG (CAP_AUDIT_READ); `write` sends an \
           AUDIT_USER message without a text, which is not recorded (CAP_AUDIT_WRITE; EINVAL counts as allowed). In a user \
           namespace the kernel answers `write` with ECONNREFUSED. See kernel/audit.c.",
    example: "attempts: { audit: { read: denied } }",
    leaves: Leaves::Nothing,
    check: |object| match object {
        "read" | "write" => Ok(()),
        _ => Err(format!("`{object}` is not known here: write `read` or `write`")),
    },
    attempt: |object| {
        const USER: u16 = 1005;
        let socket = netlink(SockProtocol::NetlinkAudit)?;
        if object == "write" {
            return probe("AUDIT_USER", ask(&socket, USER)?);
        }
        let group = NetlinkAddr::new(0, 1);
        outcome("bind(AUDIT_NLGRP_READLOG)", bind(socket.as_raw_fd(), &group))
    },
};

/// `raise_limit`
pub(super) const RAISE_LIMIT: Attempt = Attempt {
    name: "raise_limit",
    object: "nofile | nproc | core | memlock",
    brief: "Raises a hard limit of its own by one.",
    long: "getrlimit(2), then setrlimit(2) with a hard limit that is higher by one, and back: CAP_SYS_RESOURCE. Where there is \
           no limit there is nothing to raise.",
    example: "attempts: { raise_limit: { nofile: { fails: EPERM } } }",
    leaves: Leaves::Something,
    check: |object| resource(object).map(drop),
    attempt: |object| {
        let resource = resource(object).map_err(Unobserved::because)?;
        let (soft, hard) = getrlimit(resource).map_err(|errno| unprepared("getrlimit", errno))?;
        if hard == libc::RLIM_INFINITY {
            return Err(Unobserved::because(format!("the hard limit of {object} is infinite")));
        }
        let set = setrlimit(resource, soft, hard + 1);
        let undone = if set.is_ok() { setrlimit(resource, soft, hard) } else { Ok(()) };
        Ok(with_undoing(outcome(&format!("setrlimit({object}, {})", hard + 1), set)?, undone))
    },
};

fn resource(name: &str) -> Result<Resource, String> {
    match name {
        "nofile" => Ok(Resource::RLIMIT_NOFILE),
        "nproc" => Ok(Resource::RLIMIT_NPROC),
        "core" => Ok(Resource::RLIMIT_CORE),
        "memlock" => Ok(Resource::RLIMIT_MEMLOCK),
        _ => Err(format!("`{name}` is no limit: write `nofile`, `nproc`, `core` or `memlock`")),
    }
}

fn parse_name(object: &str) -> Result<UnixCredentials, String> {
    let wrong = || format!("`{object}` is nobody: write `uid N`, `gid N` or `pid N`");
    let (kind, id) = object.split_once(' ').ok_or_else(wrong)?;
    let id: u32 = id.parse().map_err(|_| wrong())?;
    let mut names = libc::ucred { pid: getpid().as_raw(), uid: geteuid().as_raw(), gid: getegid().as_raw() };
    match kind {
        "uid" => names.uid = id,
        "gid" => names.gid = id,
        "pid" => names.pid = i32::try_from(id).map_err(|_| wrong())?,
        _ => return Err(wrong()),
    }
    Ok(names.into())
}

fn netlink(protocol: SockProtocol) -> Result<OwnedFd, Unobserved> {
    let made = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol);
    made.map_err(|errno| unprepared("socket(AF_NETLINK)", errno))
}

/// Sends a message without a body, and gives what it is acknowledged with. The kernel answers while it is sent, so that there is
/// nothing to wait for.
fn ask(socket: &OwnedFd, kind: u16) -> Result<nix::Result<()>, Unobserved> {
    const REQUEST_AND_ACK: u16 = 5;
    // struct nlmsghdr: length, type, flags, sequence number, port.
    let mut message = [0_u8; 16];
    message[..4].copy_from_slice(&16_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
    if let Err(errno) = send(socket.as_raw_fd(), &message, MsgFlags::empty()) {
        return Ok(Err(errno));
    }
    let mut answer = [0_u8; 1024];
    loop {
        let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)
            .map_err(|errno| unprepared("recv(AF_NETLINK)", errno))?;
        if let Some(result) = acknowledgement(&answer[..length]) {
            return Ok(result);
        }
    }
}

/// The result in a message of type `NLMSG_ERROR`: an errno below zero, or zero.
fn acknowledgement(message: &[u8]) -> Option<nix::Result<()>> {
    const ERROR: u16 = 2;
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let error = i32::from_ne_bytes(message.get(16..20)?.try_into().ok()?);
    (kind == ERROR).then(|| if error == 0 { Ok(()) } else { Err(Errno::from_raw(error.wrapping_neg())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_a_user_a_group_or_a_process() {
        for right in ["uid 1", "gid 65534", "pid 4000000"] {
            assert!(parse_name(right).is_ok(), "{right}");
        }
        for wrong in ["", "uid", "uid root", "uid -1", "user 1", "pid 4294967295"] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_acknowledgement_is_told_from_other_messages() {
        let message = |kind: u16, error: i32| {
            let mut bytes = [0_u8; 36];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..20].copy_from_slice(&error.to_ne_bytes());
            bytes
        };
        assert_eq!(acknowledgement(&message(2, 0)), Some(Ok(())));
        assert_eq!(acknowledgement(&message(2, -1)), Some(Err(Errno::EPERM)));
        assert_eq!(acknowledgement(&message(1000, -1)), None);
        assert_eq!(acknowledgement(&[0; 4]), None);
    }
}
