//! The posture of a process: the whole of what `/proc` says of what it is and may do, in one value.

use serde_json::{Map, Value};

use super::capabilities::CAPABILITIES;
use super::cgroup::CGROUP;
use super::credentials::{GIDS, GROUPS, NO_NEW_PRIVS, SECCOMP, SECCOMP_FILTERS, SETGROUPS, UIDS};
use super::evidence::reading;
use super::fds;
use super::limits::LIMITS_FACT;
use super::lsm::LSM;
use super::namespaces::NAMESPACES;
use super::process::{OOM_SCORE_ADJ, TTY, UMASK};
use super::program::{CWD, ROOT_DIRECTORY};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Peer, Peers, Reading, Subject, Unobserved, mounts, origin};

/// The facts that are a part of it as they are.
static WHOLE: [&Fact; 15] = [
    &UIDS,
    &GIDS,
    &GROUPS,
    &SETGROUPS,
    &CAPABILITIES,
    &NO_NEW_PRIVS,
    &SECCOMP,
    &SECCOMP_FILTERS,
    &LSM,
    &ROOT_DIRECTORY,
    &CWD,
    &LIMITS_FACT,
    &UMASK,
    &OOM_SCORE_ADJ,
    &TTY,
];

const fn whole(fact: &Fact) -> Field {
    Field { name: fact.name, kind: fact.kind, brief: fact.brief }
}

/// Its fields.
pub(super) const FIELDS: &[Field] = &[
    whole(&UIDS),
    whole(&GIDS),
    whole(&GROUPS),
    whole(&SETGROUPS),
    whole(&CAPABILITIES),
    whole(&NO_NEW_PRIVS),
    whole(&SECCOMP),
    whole(&SECCOMP_FILTERS),
    whole(&LSM),
    Field {
        name: "namespaces",
        kind: Kind::Record(origin::FIELDS),
        brief: "Each namespace as `inherited` (the host's), `joined NAME` (that of another process), or `new`.",
    },
    Field {
        name: "cgroup",
        kind: Kind::Word(&["inherited", "own"]),
        brief: "Whether its cgroup is the host's in every hierarchy, or its own; seen from outside only.",
    },
    whole(&ROOT_DIRECTORY),
    whole(&CWD),
    Field {
        name: "mounts",
        kind: Kind::Map(&mounts::SUMMARY),
        brief: "The mounts by path, with their types and the flags that restrict.",
    },
    Field {
        name: "fds",
        kind: Kind::Map(&Kind::Int),
        brief: "How many descriptors of each class: `{ pipe: 2, socket: 1 }`.",
    },
    whole(&LIMITS_FACT),
    whole(&UMASK),
    whole(&OOM_SCORE_ADJ),
    whole(&TTY),
];

/// `posture`
pub(super) const POSTURE: Fact = Fact {
    name: "posture",
    argument: None,
    kind: Kind::Record(FIELDS),
    views: EVERYWHERE,
    brief: "The whole of what /proc says of a process: who it is, what it may do, and what is within its reach.",
    long: "A plain mapping holds what it names. `posture: { exactly: { … } }` holds all of it, down to each field, each \
           mount and each descriptor: what is there and not named is a failure, and `others` stands for the rest of a \
           mapping. Several fields that differ are told as one diff. The parts are the facts of the same names, but for \
           four. `namespaces` says of each kind whether it is the runner's (`inherited`), that of a sandbox's first process \
           (`joined first`, or `joined NAME` where sandboxes have names), or neither (`new`). `cgroup` is `own` or \
           `inherited`, and seen from outside only: inside, the paths count from the cgroup namespace. `mounts` has each \
           path's topmost mount, with its type, its propagation, and of its flags `ro` or `rw` (`ro` where the mount or the \
           file system is), `nosuid`, `nodev`, `noexec`, `nosymfollow`. `fds` counts the descriptors by class: `pipe`, \
           `socket`, `file`, `directory`, `device`, or `anon_inode:[eventpoll]` and its like. If a part cannot be read, the \
           whole cannot be observed.",
    example: "posture: { no_new_privs: true, seccomp: filter, namespaces: { user: new, pid: new }, fds: { exactly: { pipe: 3 } } }",
    observe: |subject, _| posture(subject),
    relate: Some(|value, peers| {
        let others: Vec<Peer> = peers.sandboxes.iter().filter(|peer| !peer.itself).cloned().collect();
        relate(value, &Peers { sandboxes: &others, ..*peers });
    }),
};

/// Every part, as it is read; [`relate`] makes words of the namespaces and the cgroup.
pub(super) fn posture(subject: &Subject) -> Result<Reading, Unobserved> {
    let parts = [("namespaces", NAMESPACES.observe), ("cgroup", CGROUP.observe), ("fds", fds::classes)];
    let parts = parts.into_iter().chain([("mounts", mounts::summary as Observe)]);
    let (mut map, mut raw) = (Map::new(), Vec::new());
    for (name, observe) in WHOLE.iter().map(|fact| (fact.name, fact.observe)).chain(parts) {
        let part = observe(subject, "").map_err(|why| Unobserved::because(format!("{name}: {why}")))?;
        raw.push(format!("{name}: {}", part.raw));
        map.insert(name.to_owned(), part.value);
    }
    Ok(reading(map, raw.join("\n")))
}

/// How a part is read.
type Observe = fn(&Subject, &str) -> Result<Reading, Unobserved>;

/// Says of a posture whose its namespaces and its cgroup are.
pub(super) fn relate(value: &mut Value, peers: &Peers<'_>) {
    let Some(map) = value.as_object_mut() else { return };
    let part = |name: &str| peers.host.get(name).unwrap_or(&Value::Null);
    if let Some(links) = map.remove("namespaces") {
        let words = origin::origins(&links, part("namespaces"), peers.sandboxes);
        map.insert("namespaces".to_owned(), words.into());
    }
    if let Some(cgroup) = map.remove("cgroup").filter(|_| !peers.inside) {
        let same = cgroup.get("paths") == part("cgroup").get("paths");
        map.insert("cgroup".to_owned(), if same { "inherited" } else { "own" }.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_is_observed_and_each_part_has_its_field() {
        let value = posture(&Subject::oneself()).unwrap().value;
        let mut fields: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        fields.sort_unstable();
        let mut parts: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        parts.sort_unstable();
        assert_eq!(parts, fields);
    }

    #[test]
    fn a_process_inherits_all_from_itself() {
        let host = posture(&Subject::oneself()).unwrap().value;
        let mut value = host.clone();
        relate(&mut value, &Peers::host(&host));
        assert_eq!(value["cgroup"], "inherited");
        let namespaces = value["namespaces"].as_object().unwrap();
        assert!(
            namespaces.len() >= 7 && namespaces.values().all(|word| word == "inherited"),
            "{namespaces:?}"
        );
    }

    #[test]
    fn a_process_has_not_joined_itself() {
        let host = json!({ "namespaces": { "pid": "pid:[1]" }, "cgroup": { "paths": { "unified": "/" } } });
        let links = json!({ "pid": "pid:[2]" });
        let check = |itself, inside, expected: Value| {
            let sandboxes = [Peer { name: "first".to_owned(), namespaces: links.clone(), itself }];
            let mut value = json!({ "namespaces": links, "cgroup": { "paths": { "unified": "/a" } } });
            (POSTURE.relate.unwrap())(&mut value, &Peers { host: &host, sandboxes: &sandboxes, inside });
            assert_eq!(value, expected);
        };
        check(true, false, json!({ "namespaces": { "pid": "new" }, "cgroup": "own" }));
        check(false, false, json!({ "namespaces": { "pid": "joined first" }, "cgroup": "own" }));
        check(false, true, json!({ "namespaces": { "pid": "joined first" } }));
    }
}
