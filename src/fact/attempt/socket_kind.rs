//! Which kinds of sockets can be made at all.

use nix::errno::Errno;

use super::outcome::outcome;
use crate::fact::{Attempt, Leaves, Unobserved};
use crate::sys::raw;

/// Families by their names in socket(2), with their numbers in include/linux/socket.h.
const FAMILIES: &[(&str, i32)] = &[
    ("unix", libc::AF_UNIX),
    ("inet", libc::AF_INET),
    ("inet6", libc::AF_INET6),
    ("netlink", libc::AF_NETLINK),
    ("packet", libc::AF_PACKET),
    ("alg", libc::AF_ALG),
    ("vsock", libc::AF_VSOCK),
    ("xdp", 44),
];

const TYPES: &[(&str, i32)] = &[
    ("stream", libc::SOCK_STREAM),
    ("dgram", libc::SOCK_DGRAM),
    ("raw", libc::SOCK_RAW),
    ("seqpacket", libc::SOCK_SEQPACKET),
];

/// Protocols: of inet by IANA's numbers, of netlink by include/uapi/linux/netlink.h.
const PROTOCOLS: &[(&str, &str, i32)] = &[
    ("inet", "icmp", libc::IPPROTO_ICMP),
    ("inet", "tcp", libc::IPPROTO_TCP),
    ("inet", "udp", libc::IPPROTO_UDP),
    ("inet6", "icmp", libc::IPPROTO_ICMPV6),
    ("netlink", "route", libc::NETLINK_ROUTE),
    ("netlink", "xfrm", libc::NETLINK_XFRM),
    ("netlink", "audit", libc::NETLINK_AUDIT),
    ("netlink", "netfilter", libc::NETLINK_NETFILTER),
];

/// `socket`
pub(super) const SOCKET: Attempt = Attempt {
    name: "socket",
    object: "\"FAMILY TYPE [PROTOCOL]\"",
    brief: "Makes a socket of a kind: `inet raw icmp`, `packet raw`, `vsock stream`.",
    long: "socket(2), then close. Families are unix, inet, inet6, netlink, packet, alg, vsock, xdp; types are stream, dgram, raw, \
           seqpacket; protocols are icmp, tcp, udp of inet and route, xfrm, audit, netfilter of netlink. Making a socket may have the kernel load \
           the module of its family. EAFNOSUPPORT: the kernel has none.",
    example: "attempts: { socket: { packet raw: denied } }",
    leaves: Leaves::Nothing,
    check: |object| parse(object).map(drop),
    attempt: |object| {
        let [family, kind, protocol] = parse(object).map_err(Unobserved::because)?;
        let operands = [family.into(), (kind | libc::SOCK_CLOEXEC).into(), protocol.into(), 0, 0, 0];
        let number = i32::try_from(libc::SYS_socket).map_err(Unobserved::because)?;
        let result: Result<i64, Errno> = raw::call(number, operands);
        outcome(&format!("socket({object})"), result.map(drop))
    },
};

fn parse(object: &str) -> Result<[i32; 3], String> {
    let words: Vec<&str> = object.split(' ').collect();
    let (family, kind, protocol) = match words[..] {
        [family, kind] => (family, kind, None),
        [family, kind, protocol] => (family, kind, Some(protocol)),
        _ => return Err(format!("`{object}` is no kind of socket: write a family and a type, `inet raw`")),
    };
    let number = |table: &[(&str, i32)], word: &str| {
        let names = || table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = table.iter().find(|(name, _)| *name == word);
        found
            .map(|(_, number)| *number)
            .ok_or_else(|| format!("`{word}` is not known: there are {}", names()))
    };
    let protocol = match protocol {
        None => 0,
        Some(word) => {
            let found = PROTOCOLS.iter().find(|(of, name, _)| *of == family && *name == word);
            found.ok_or_else(|| format!("`{word}` is not a protocol of {family} that is known"))?.2
        }
    };
    Ok([number(FAMILIES, family)?, number(TYPES, kind)?, protocol])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_words() {
        let check = |object: &str, expected: Result<[i32; 3], &str>| {
            assert_eq!(
                parse(object).as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|text| *text)
            );
        };
        check("inet raw icmp", Ok([2, 3, 1]));
        check("unix stream", Ok([1, 1, 0]));
        check("netlink raw audit", Ok([16, 3, 9]));
        check("inet", Err("`inet` is no kind of socket: write a family and a type, `inet raw`"));
        check("inet raw audit", Err("`audit` is not a protocol of inet that is known"));
        check("inet row", Err("`row` is not known: there are stream, dgram, raw, seqpacket"));
    }
}
