//! The kernel's keyrings, as far as the process can see them.

use nix::errno::Errno;
use serde_json::{Map, Value, json};

use super::evidence::{lines, read, reading, show, words};
use super::vantage::ITSELF;
use super::{Fact, Field, Kind, Reading, Unobserved};
use crate::sys::{errno_name, keyring};

/// `keyrings`
pub(super) const KEYRINGS: Fact = Fact {
    name: "keyrings",
    argument: None,
    kind: Kind::Record(&[
        Field {
            name: "session",
            kind: Kind::Int,
            brief: "The id of the session keyring; 0 where there is none.",
        },
        Field { name: "user", kind: Kind::Int, brief: "The id of the user keyring; 0 where there is none." },
        Field {
            name: "keys",
            kind: Kind::Set(&Kind::Text),
            brief: "The keys that the process may see: `user my_key`, type and description.",
        },
    ]),
    views: ITSELF,
    brief: "The process's keyrings and the keys within its sight.",
    long: "keyrings(7): keyctl(KEYCTL_GET_KEYRING_ID) and /proc/keys. A runtime gives a sandbox a session keyring of its \
           own, or the keys of whoever started it are within reach. A process without a session keyring gets its user's \
           default one by asking (session-keyring(7)). `keys` is left out where /proc/keys cannot be read.",
    example: "keyrings: { session: { differs_from: host } }",
    observe: |_, _| observe(),
    relate: None,
    same_outside: false,
};

fn observe() -> Result<Reading, Unobserved> {
    let mut map = Map::new();
    map.insert("session".to_owned(), json!(id("session", keyring::SESSION)?));
    map.insert("user".to_owned(), json!(id("user", keyring::USER)?));
    let table = read("/proc/keys").ok();
    if let Some(table) = &table {
        map.insert("keys".to_owned(), lines(table).map(key).collect());
    }
    let raw = format!("{}\n{}", Value::from(map.clone()), show(&table.unwrap_or_default()));
    Ok(reading(map, raw))
}

/// Ids are positive; ENOKEY says that there is no such keyring.
fn id(name: &str, special: i32) -> Result<i32, Unobserved> {
    match keyring::id(special) {
        Err(Errno::ENOKEY) => Ok(0),
        found => found.map_err(|errno| {
            let errno = errno_name(errno as i32);
            Unobserved::because(format!("keyctl(KEYCTL_GET_KEYRING_ID, {name}) failed: {errno}"))
        }),
    }
}

/// The eighth word is the type and the rest the description, up to the summary after the last colon: `proc_keys(5)`.
fn key(line: &[u8]) -> Value {
    let text = words(line).skip(7).map(show).collect::<Vec<_>>().join(" ");
    text.rsplit_once(": ").map_or(text.as_str(), |(start, _)| start).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_type_and_a_description() {
        let check = |line: &[u8], expected: &str| assert_eq!(key(line), expected);
        check(
            b"2dce32b5 I--Q---     1 perm 1f3f0000     0 65534 keyring   _uid_ses.0: 1",
            "keyring _uid_ses.0",
        );
        check(
            b"009a2028 I--Q---     1   3d 3f010000  1000  1000 user      krb_ccache:x: 12",
            "user krb_ccache:x",
        );
    }
}
