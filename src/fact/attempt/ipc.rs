//! Finding what others have made: System V IPC by its key, POSIX message queues by their names, keys by their descriptions.

use std::ffi::CString;

use nix::mqueue::{MQ_OFlag, mq_close, mq_open};
use nix::sys::stat::Mode;

use super::outcome::outcome;
use crate::fact::{Attempt, Reading, Unobserved};
use crate::sys::{ipc, keyring};

/// `shmget`
pub(super) const SHMGET: Attempt = Attempt {
    name: "shmget",
    object: "KEY",
    brief: "Finds a System V shared memory segment by its key.",
    long: "shmget(KEY, 0, 0), which neither makes nor attaches one. Keys belong to the IPC namespace: ipc_namespaces(7).",
    example: "attempts: { shmget: { \"{bait.key}\": out_of_reach } }",
    check: |object| key(object).map(drop),
    attempt: |object| find(object, "shmget", ipc::find_memory),
};

/// `msgget`
pub(super) const MSGGET: Attempt = Attempt {
    name: "msgget",
    object: "KEY",
    brief: "Finds a System V message queue by its key.",
    long: "msgget(KEY, 0), which makes none. Keys belong to the IPC namespace: ipc_namespaces(7).",
    example: "attempts: { msgget: { \"{bait.key}\": out_of_reach } }",
    check: |object| key(object).map(drop),
    attempt: |object| find(object, "msgget", ipc::find_queue),
};

/// `semget`
pub(super) const SEMGET: Attempt = Attempt {
    name: "semget",
    object: "KEY",
    brief: "Finds a System V semaphore set by its key.",
    long: "semget(KEY, 0, 0), which makes none. Keys belong to the IPC namespace: ipc_namespaces(7).",
    example: "attempts: { semget: { \"{bait.key}\": out_of_reach } }",
    check: |object| key(object).map(drop),
    attempt: |object| find(object, "semget", ipc::find_semaphores),
};

/// `mq_open`
pub(super) const MQ_OPEN: Attempt = Attempt {
    name: "mq_open",
    object: "/NAME",
    brief: "Opens a POSIX message queue to read from it.",
    long: "mq_open(/NAME, O_RDONLY), then close: mq_overview(7). The call needs no mount of the mqueue file system; names belong to \
           the IPC namespace.",
    example: "attempts: { mq_open: { \"/{bait}\": out_of_reach } }",
    check: queue_name,
    attempt: |name| {
        let opened = mq_open(name, MQ_OFlag::O_RDONLY | MQ_OFlag::O_CLOEXEC, Mode::empty(), None);
        outcome(&format!("mq_open({name:?}, O_RDONLY)"), opened.and_then(mq_close))
    },
};

/// `find_key`
pub(super) const FIND_KEY: Attempt = Attempt {
    name: "find_key",
    object: "\"session NAME\" | \"user NAME\"",
    brief: "Looks for a key in the session or the user keyring: `session NAME`.",
    long: "keyctl(KEYCTL_SEARCH) of a key of the type `user` with this description, in the keyring and in those below it: \
           keyrings(7). Nothing is read of it. A session keyring is inherited; a user keyring is shared by all of a user's processes \
           in a user namespace.",
    example: "attempts: { find_key: { \"session {bait}\": out_of_reach } }",
    check: |object| keyring_and_name(object).map(drop),
    attempt: |object| {
        let (keyring, name) = keyring_and_name(object).map_err(Unobserved::because)?;
        outcome(&format!("keyctl(KEYCTL_SEARCH, {object:?})"), keyring::search(keyring, &name).map(drop))
    },
};

fn find(object: &str, call: &str, find: fn(i32) -> nix::Result<i32>) -> Result<Reading, Unobserved> {
    let key = key(object).map_err(Unobserved::because)?;
    outcome(&format!("{call}({key})"), find(key).map(drop))
}

/// 0 is `IPC_PRIVATE`, with which each of the calls would make something new.
fn key(object: &str) -> Result<i32, String> {
    let key = object.parse().ok().filter(|key| *key != 0);
    key.ok_or_else(|| format!("`{object}` is not a key: write a number other than 0, or `{{bait.key}}`"))
}

fn queue_name(object: &str) -> Result<(), String> {
    let name = object.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains(['/', '\0']));
    match name {
        Some(_) => Ok(()),
        None => Err(format!("`{object}` is not the name of a queue: write a `/` and a word, `/NAME`")),
    }
}

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
    fn objects_are_checked() {
        let check = |attempt: &Attempt, object: &str, fits: bool| {
            assert_eq!((attempt.check)(object).is_ok(), fits, "{} {object}", attempt.name);
        };
        for attempt in [&SHMGET, &MSGGET, &SEMGET] {
            check(attempt, "4711", true);
            for wrong in ["", "0", "key", "1 2"] {
                check(attempt, wrong, false);
            }
        }
        check(&MQ_OPEN, "/queue", true);
        for wrong in ["queue", "/", "/a/b", ""] {
            check(&MQ_OPEN, wrong, false);
        }
        check(&FIND_KEY, "session a key", true);
        for wrong in ["session", "thread x", "user ", ""] {
            check(&FIND_KEY, wrong, false);
        }
    }
}
