//! What the network namespace of a process holds: interfaces, addresses, routes, sockets.

use std::net::IpAddr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use serde_json::{Map, Value, json};

use super::evidence::{reading, show};
use super::vantage::{EVERYWHERE, ITSELF};
use super::{Fact, Field, Kind, Reading, Unobserved, routes, sockets};

const fn flag(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Bool, brief }
}

/// `interfaces`
pub(super) const INTERFACES: Fact = Fact {
    name: "interfaces",
    argument: None,
    kind: Kind::Map(&Kind::Record(&[
        flag("up", "Whether it is enabled: IFF_UP."),
        flag("running", "Whether it can carry packets: IFF_RUNNING."),
        flag("loopback", "Whether it is a loopback interface."),
        flag("promiscuous", "Whether it takes in packets for others."),
    ])),
    views: ITSELF,
    brief: "The network interfaces, by name.",
    long: "getifaddrs(3), which asks the kernel through a netlink socket; network_namespaces(7), netdevice(7).",
    example: "interfaces: { count: 1, lo: { loopback: true } }",
    observe: |_, _| {
        let found = interface_addresses()?;
        let mut map = Map::new();
        for interface in &found {
            map.insert(interface.interface_name.clone(), flags(interface.flags));
        }
        Ok(reading(map, format!("{found:#?}")))
    },
    relate: None,
    same_outside: false,
};

/// `addresses`
pub(super) const ADDRESSES: Fact = Fact {
    name: "addresses",
    argument: None,
    kind: Kind::Map(&Kind::Set(&Kind::Text)),
    views: ITSELF,
    brief: "The IP addresses of each interface, with their prefix: `127.0.0.1/8`.",
    long: "getifaddrs(3). An interface without addresses has an empty set.",
    example: "addresses: { lo: { contains: 127.0.0.1/8 } }",
    observe: |_, _| addresses(),
    relate: None,
    same_outside: false,
};

/// `routes`
pub(super) const ROUTES: Fact = Fact {
    name: "routes",
    argument: None,
    kind: Kind::List(&Kind::Record(&[
        Field {
            name: "destination",
            kind: Kind::Text,
            brief: "`default`, or a network: `10.0.0.0/8`, `fd00::/64`.",
        },
        Field { name: "gateway", kind: Kind::Text, brief: "The next hop, or `none`." },
        Field { name: "interface", kind: Kind::Text, brief: "The interface it goes out by." },
    ])),
    views: EVERYWHERE,
    brief: "The routes of the main tables, IPv4 and then IPv6.",
    long: "/proc/PID/net/route and /proc/PID/net/ipv6_route. IPv6 routes that only say what is local, multicast or refused \
           are left out.",
    example: "routes: { none: { destination: default } }",
    observe: |subject, _| routes::observe(subject),
    relate: None,
    same_outside: false,
};

/// `sockets`
pub(super) const SOCKETS: Fact = Fact {
    name: "sockets",
    argument: None,
    kind: Kind::Record(&[
        Field {
            name: "abstract",
            kind: Kind::Set(&Kind::Text),
            brief: "The names of abstract unix sockets, without the leading NUL.",
        },
        Field { name: "unix", kind: Kind::Set(&Kind::Text), brief: "The paths of unix sockets." },
        Field {
            name: "tcp",
            kind: Kind::Set(&Kind::Text),
            brief: "Where TCP listens: `0.0.0.0:80`, `[::]:80`.",
        },
        Field { name: "udp", kind: Kind::Set(&Kind::Text), brief: "Where UDP sockets are bound." },
    ]),
    views: EVERYWHERE,
    brief: "The sockets of the network namespace that others can connect to.",
    long: "/proc/PID/net/unix, tcp, tcp6, udp and udp6. Abstract names belong to the network namespace, unix(7): a sandbox \
           that shares the host's can connect to its abstract sockets (CVE-2020-15257).",
    example: "sockets: { abstract: { empty: true } }",
    observe: |subject, _| sockets::observe(subject),
    relate: None,
    same_outside: false,
};

fn interface_addresses() -> Result<Vec<InterfaceAddress>, Unobserved> {
    let list =
        getifaddrs().map_err(|errno| Unobserved::because(format!("getifaddrs() failed: {errno:?}")))?;
    Ok(list.collect())
}

fn flags(flags: InterfaceFlags) -> Value {
    json!({
        "up": flags.contains(InterfaceFlags::IFF_UP),
        "running": flags.contains(InterfaceFlags::IFF_RUNNING),
        "loopback": flags.contains(InterfaceFlags::IFF_LOOPBACK),
        "promiscuous": flags.contains(InterfaceFlags::IFF_PROMISC),
    })
}

fn addresses() -> Result<Reading, Unobserved> {
    let found = interface_addresses()?;
    let mut map = Map::new();
    for interface in &found {
        let list = map.entry(show(interface.interface_name.as_bytes())).or_insert_with(|| json!([]));
        let text = interface.address.and_then(|address| with_prefix(&address, interface.netmask.as_ref()));
        if let (Some(list), Some(text)) = (list.as_array_mut(), text) {
            list.push(text.into());
        }
    }
    Ok(reading(map, format!("{found:#?}")))
}

fn with_prefix(address: &SockaddrStorage, mask: Option<&SockaddrStorage>) -> Option<String> {
    let address = ip(address)?;
    let prefix = match mask.and_then(ip)? {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    Some(format!("{address}/{prefix}"))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
}
