//! The routing tables under `/proc/PID/net`.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::evidence::{lines, malformed, read, reading, show, words};
use super::{Reading, Subject, Unobserved};

/// `RTF_UP`, `RTF_GATEWAY` and `RTF_REJECT` of include/uapi/linux/route.h; `RTF_LOCAL` of `ipv6_route.h`.
const UP: u32 = 1;
const GATEWAY: u32 = 2;
const REJECT: u32 = 0x200;
const LOCAL: u32 = 0x8000_0000;

/// All routes of a process's network namespace.
pub(super) fn observe(subject: &Subject) -> Result<Reading, Unobserved> {
    let path = subject.proc_file("net/route");
    let v4 = read(&path)?;
    // A kernel without IPv6 has no such file.
    let path6 = subject.proc_file("net/ipv6_route");
    let v6 = if path6.exists() { read(&path6)? } else { Vec::new() };
    let mut routes = Vec::new();
    for line in lines(&v4).skip(1) {
        routes.push(route4(line).ok_or_else(|| malformed(&path, "row"))?);
    }
    for line in lines(&v6) {
        routes.push(route6(line).ok_or_else(|| malformed(&path6, "row"))?);
    }
    // What only says what is local or refused leads nowhere.
    routes.retain(|route| !route.is_null());
    Ok(reading(routes, [v4, v6].concat()))
}

/// Interface, destination, gateway, flags, …, mask in the eighth column; addresses as the memory of the machine has them.
/// Null for a route that leads nowhere.
fn route4(line: &[u8]) -> Option<Value> {
    let row: Vec<String> = words(line).map(show).collect();
    let flags = hex(row.get(3)?)?;
    if flags & UP == 0 || flags & REJECT != 0 {
        return Some(Value::Null);
    }
    let address = |column: usize| Some(Ipv4Addr::from(hex(row.get(column)?)?.to_ne_bytes()));
    let (destination, gateway, mask) = (address(1)?, address(2)?, address(7)?);
    let prefix = mask.to_bits().count_ones();
    Some(json!({
        "destination": if prefix == 0 { "default".to_owned() } else { format!("{destination}/{prefix}") },
        "gateway": if flags & GATEWAY == 0 { "none".to_owned() } else { gateway.to_string() },
        "interface": row.first()?,
    }))
}

/// Destination, prefix, source, prefix, next hop, metric, references, uses, flags, interface; addresses in network order.
/// Null likewise.
fn route6(line: &[u8]) -> Option<Value> {
    let row: Vec<String> = words(line).map(show).collect();
    let flags = hex(row.get(8)?)?;
    let destination = Ipv6Addr::from(u128::from_str_radix(row.first()?, 16).ok()?);
    if flags & UP == 0 || flags & (REJECT | LOCAL) != 0 || destination.is_multicast() {
        return Some(Value::Null);
    }
    let gateway = Ipv6Addr::from(u128::from_str_radix(row.get(4)?, 16).ok()?);
    let prefix = hex(row.get(1)?)?;
    Some(json!({
        "destination": if prefix == 0 { "default".to_owned() } else { format!("{destination}/{prefix}") },
        "gateway": if flags & GATEWAY == 0 { "none".to_owned() } else { gateway.to_string() },
        "interface": row.get(9)?,
    }))
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_families_are_told_alike() {
        let check = |row: Option<Value>, destination: &str, gateway: &str| {
            let expected = json!({ "destination": destination, "gateway": gateway, "interface": "eth0" });
            assert_eq!(row.unwrap(), expected);
        };
        let v6 = |row: &str| route6(row.replace('_', &"0".repeat(28)).as_bytes());
        if cfg!(target_endian = "little") {
            check(route4(b"eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0"), "default", "192.0.2.1");
            check(route4(b"eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0"), "192.0.2.0/24", "none");
        }
        check(v6("fd00_ 40 _0000 00 _0000 00000100 1 0 00000001 eth0"), "fd00::/64", "none");
        check(v6("_0000 00 _0000 00 _0001 00000400 2 0 00000003 eth0"), "default", "::1");
        assert_eq!(v6("_0001 80 _0000 00 _0000 0 2 0 80200001 lo"), Some(Value::Null));
        assert_eq!(v6("ff00_ 08 _0000 00 _0000 100 3 0 00000001 eth0"), Some(Value::Null));
        assert_eq!(v6("_0000 00 _0000 00 _0000 ffffffff 1 0 00200200 lo"), Some(Value::Null));
        assert_eq!(route4(b"eth0 0"), None);
    }

    /// A route that is down or refuses is there in the table, and leads nowhere.
    #[test]
    fn what_is_down_or_refused_leads_nowhere() {
        let v4 = |flags: &str| route4(format!("eth0 0 0 {flags} 0 0 0 0 0 0 0").as_bytes()).unwrap();
        let zeros = "0".repeat(32);
        let v6 = |flags: &str| {
            route6(format!("{zeros} 00 {zeros} 00 {zeros} 0 1 0 {flags} eth0").as_bytes()).unwrap()
        };
        for (flags, leads) in [("1", true), ("0", false), ("2", false), ("201", false), ("200", false)] {
            assert_eq!((v4(flags) != Value::Null, v6(flags) != Value::Null), (leads, leads), "{flags}");
        }
    }
}
