//! Finding the keys of others by their descriptions.

use std::ffi::CString;

use super::outcome::outcome;
use crate::fact::{Attempt, Leaves, Unobserved};
use crate::sys::keyring;

/// `find_key`
pub(super) const FIND_KEY: Attempt = Attempt {
    name: "find_key",
    object: "\"session NAME\" | \"user NAME\"",
    brief: "Looks for a key in the session or the user keyring: `session NAME`.",
    long: "keyctl(KEYCTL_SEARCH) of a key of the type `user` with this description, in the keyring and in those below it: \
           keyrings(7). Nothing is read of it. A session keyring is inherited; a user keyring is shared by all of a user's processes \
           in a user namespace.",
    example: "attempts: { find_key: { \"session {bait}\": out_of_reach } }",
    leaves: Leaves::Something,
    check: |object| keyring_and_name(object).map(drop),
    attempt: |object| {
        let (keyring, name) = keyring_and_name(object).map_err(Unobserved::because)?;
        outcome(&format!("keyctl(KEYCTL_SEARCH, {object:?})"), keyring::search(keyring, &name).map(drop))
    },
};

fn keyring_and_name(object: &str) -> Result<(i32, CString), String> {
    let wrong = || format!("`{object}` names no key: write `session NAME` or `user NAME`");
    let (keyring, name) = object.split_once(' ').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
    let keyring = match keyring {
        "session" => keyring::SESSION,
        "user" => keyring::USER,
        _ => return Err(wrong()),
    };
    CString::new(name).map(|name| (keyring, name)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_and_a_name_are_named() {
        let check = |object: &str, fits: bool| assert_eq!((FIND_KEY.check)(object).is_ok(), fits, "{object}");
        check("session a key", true);
        for wrong in ["session", "thread x", "user ", ""] {
            check(wrong, false);
        }
    }
}
