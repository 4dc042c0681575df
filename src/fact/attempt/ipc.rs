//! Objects of inter-process communication: made to be found, and looked up by others.

use super::outcome::outcome;
use crate::fact::{Attempt, Leaves, Reading, Unobserved};
use crate::sys::ipc;

const OBJECT: &str = "\"shm KEY\" | \"msg KEY\" | \"sem KEY\" | \"mq NAME\"";

/// `make_ipc`
pub(super) const MAKE_IPC: Attempt = Attempt {
    name: "make_ipc",
    object: OBJECT,
    brief: "Makes a System V segment, queue or set of semaphores, or a POSIX queue: `shm 4711`, `mq name`.",
    long: "shmget(2), msgget(2), semget(2) with IPC_CREAT | IPC_EXCL, or mq_open(3) with O_CREAT, for everybody to use. What is made stays until the IPC \
           namespace ends: this is bait, which `open_ipc` in another sandbox is to find or not.",
    example: "attempts: { make_ipc: { shm 4711: allowed } }",
    leaves: Leaves::Something,
    check: |object| parse(object).map(drop),
    attempt: |object| get(object, true),
};

/// `open_ipc`
pub(super) const OPEN_IPC: Attempt = Attempt {
    name: "open_ipc",
    object: OBJECT,
    brief: "Looks up a System V segment, queue or set of semaphores by its key, or a POSIX queue by its name.",
    long: "shmget(KEY, 0, 0), msgget(KEY, 0), semget(KEY, 0, 0), mq_open(\"/NAME\", O_RDONLY). ENOENT: the IPC namespace has none \
           (ipc_namespaces(7)), which is not a refusal: write `fails: ENOENT`.",
    example: "attempts: { open_ipc: { shm 4711: { fails: ENOENT } } }",
    leaves: Leaves::Nothing,
    check: |object| parse(object).map(drop),
    attempt: |object| get(object, false),
};

#[derive(Debug, PartialEq, Eq)]
enum Object {
    SharedMemory(i32),
    Queue(i32),
    Semaphores(i32),
    PosixQueue(String),
}

fn get(object: &str, make: bool) -> Result<Reading, Unobserved> {
    let by_key = |make_it: fn(i32) -> nix::Result<i32>, find: fn(i32) -> nix::Result<i32>, key| {
        if make { make_it(key) } else { find(key) }.map(drop)
    };
    let (call, result) = match parse(object).map_err(Unobserved::because)? {
        Object::SharedMemory(key) => ("shmget", by_key(ipc::make_memory, ipc::find_memory, key)),
        Object::Queue(key) => ("msgget", by_key(ipc::make_queue, ipc::find_queue, key)),
        Object::Semaphores(key) => ("semget", by_key(ipc::make_semaphores, ipc::find_semaphores, key)),
        Object::PosixQueue(name) => ("mq_open", ipc::posix_queue(&name, make)),
    };
    outcome(&format!("{call}({object}{})", if make { ", IPC_CREAT" } else { "" }), result)
}

fn parse(object: &str) -> Result<Object, String> {
    let (kind, name) = object.split_once(' ').unwrap_or((object, ""));
    // Key 0 is IPC_PRIVATE, which always makes a new object that nobody can look up.
    let key = || {
        let key = name.parse().ok().filter(|key| *key > 0);
        key.ok_or_else(|| format!("`{name}` is no key: write a number from 1 on"))
    };
    match kind {
        "shm" => key().map(Object::SharedMemory),
        "msg" => key().map(Object::Queue),
        "sem" => key().map(Object::Semaphores),
        "mq" if !name.is_empty() && !name.contains(['/', '\0']) => Ok(Object::PosixQueue(format!("/{name}"))),
        _ => Err(format!("`{object}` is no object: write `shm 4711`, `msg 4711`, `sem 4711` or `mq name`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_a_key_or_a_name() {
        let check =
            |object: &str, expected: Option<Object>| assert_eq!(parse(object).ok(), expected, "{object}");
        check("shm 4711", Some(Object::SharedMemory(4711)));
        check("msg 1", Some(Object::Queue(1)));
        check("sem 2", Some(Object::Semaphores(2)));
        check("mq bait", Some(Object::PosixQueue("/bait".to_owned())));
        for wrong in ["", "shm", "shm 0", "shm -1", "shm x", "mq", "mq ", "mq /a", "sysv 1"] {
            check(wrong, None);
        }
    }
}
