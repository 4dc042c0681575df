//! The tables of sockets under `/proc/PID/net`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::{Map, json};

use super::evidence::{lines, malformed, read, reading, show, words};
use super::{Reading, Subject, Unobserved};

/// `TCP_LISTEN` of `include/net/tcp_states.h`.
const LISTEN: &str = "0A";

/// The sockets of a process's network namespace.
pub(super) fn observe(subject: &Subject) -> Result<Reading, Unobserved> {
    let unix = read(subject.proc_file("net/unix"))?;
    let names: Vec<&[u8]> = lines(&unix).skip(1).filter_map(unix_name).collect();
    let (hidden, paths): (BTreeSet<String>, BTreeSet<String>) = split(&names);
    let mut map = Map::new();
    map.insert("abstract".to_owned(), json!(hidden));
    map.insert("unix".to_owned(), json!(paths));
    map.insert("tcp".to_owned(), json!(bound(subject, ["net/tcp", "net/tcp6"], Some(LISTEN))?));
    map.insert("udp".to_owned(), json!(bound(subject, ["net/udp", "net/udp6"], None)?));
    Ok(reading(map, &unix))
}

/// The name is all that follows the seventh column and one space; it may itself hold spaces, and a socket may have none.
fn unix_name(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..7 {
        rest = rest.trim_ascii_start();
        rest = &rest[rest.iter().position(u8::is_ascii_whitespace)?..];
    }
    rest.get(1..).filter(|name| !name.is_empty())
}

/// The kernel shows the NUL before an abstract name, and each in it, as `@` (`net/unix/af_unix.c`).
fn split(names: &[&[u8]]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (hidden, paths): (Vec<&[u8]>, Vec<&[u8]>) = names.iter().partition(|name| name.starts_with(b"@"));
    (hidden.iter().map(|name| show(&name[1..])).collect(), paths.iter().map(|name| show(name)).collect())
}

fn bound(subject: &Subject, files: [&str; 2], state: Option<&str>) -> Result<BTreeSet<String>, Unobserved> {
    let mut set = BTreeSet::new();
    for path in files.map(|file| subject.proc_file(file)) {
        // A kernel without IPv6 has no such file.
        if path.exists() {
            add_rows(&mut set, &path, &read(&path)?, state)?;
        }
    }
    Ok(set)
}

fn add_rows(
    set: &mut BTreeSet<String>,
    path: &Path,
    table: &[u8],
    state: Option<&str>,
) -> Result<(), Unobserved> {
    for line in lines(table).skip(1) {
        let row: Vec<String> = words(line).map(show).collect();
        let (Some(local), Some(found)) = (row.get(1), row.get(3)) else { return Err(malformed(path, "row")) };
        if state.is_none_or(|state| state == found) {
            set.insert(address(local).ok_or_else(|| malformed(path, "address"))?);
        }
    }
    Ok(())
}

/// `0100007F:1F90`: words of 32 bits as the memory of the machine has them, and the port.
fn address(text: &str) -> Option<String> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = host.as_bytes().chunks(8).map(word).collect::<Option<_>>()?;
    let ip = match words[..] {
        [word] => IpAddr::from(Ipv4Addr::from(word)),
        [_, _, _, _] => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port).to_string())
}

fn word(digits: &[u8]) -> Option<[u8; 4]> {
    Some(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn unix_names_may_hold_anything() {
        let check = |line: &[u8], expected: Option<&[u8]>| assert_eq!(unix_name(line), expected);
        check(b"0000: 00000002 00000000 00010000 0001 01 1134 /run/a b", Some(b"/run/a b"));
        check(b"0000: 00000002 00000000 00010000 0001 01  1134 @hidden", Some(b"@hidden"));
        check(b"0000: 00000002 00000000 00010000 0001 01  1134", None);
    }

    #[test]
    fn addresses_are_told_as_they_are_written() {
        if cfg!(target_endian = "little") {
            assert_eq!(address("0100007F:1F90").unwrap(), "127.0.0.1:8080");
            assert_eq!(address("00000000000000000000000001000000:0050").unwrap(), "[::1]:80");
        }
        assert_eq!(address("0100007F"), None);
        assert_eq!(address("01:50:1"), None);
    }

    #[test]
    fn abstract_names_are_told_without_their_sign() {
        let (hidden, paths) = split(&[b"@hidden", b"/run/b", b"/run/a@x", b"@a@b"]);
        assert_eq!(Vec::from_iter(hidden), ["a@b", "hidden"]);
        assert_eq!(Vec::from_iter(paths), ["/run/a@x", "/run/b"]);
    }

    /// Of TCP only what listens; of UDP, which does not, all that is bound.
    #[test]
    fn what_is_bound_is_seen() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let value = observe(&Subject::oneself()).unwrap().value;
        let seen = |name: &str, address: SocketAddr| {
            value[name].as_array().unwrap().contains(&json!(address.to_string()))
        };
        assert!(seen("udp", udp.local_addr().unwrap()), "{value}");
        assert!(seen("tcp", listener.local_addr().unwrap()), "{value}");
        assert!(!seen("tcp", stream.local_addr().unwrap()), "{value}");
    }
}
