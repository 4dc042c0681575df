//! The namespaces of a process.

use std::path::Path;

use serde_json::{Map, Value};

use super::evidence::{reading, show, unreadable};
use super::vantage::EVERYWHERE;
use super::{Fact, Field, Kind, Peers, Reading, Subject, Unobserved};

/// The links of `/proc/PID/ns`, with the names that unshare(1) spells where it has one.
const LINKS: [(&str, &str); 10] = [
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mount", "mnt"),
    ("net", "net"),
    ("pid", "pid"),
    ("pid_for_children", "pid_for_children"),
    ("time", "time"),
    ("time_for_children", "time_for_children"),
    ("user", "user"),
    ("uts", "uts"),
];

/// The kinds of namespaces, as unshare(1) spells them.
pub(super) const NAMES: [&str; 8] = ["user", "mount", "pid", "net", "uts", "ipc", "cgroup", "time"];

const fn link_field(name: &'static str, brief: &'static str) -> Field {
    Field { name, kind: Kind::Text, brief }
}

const FIELDS: &[Field] = &[
    link_field("cgroup", "The cgroup namespace: `cgroup:[4026531835]`."),
    link_field("ipc", "The IPC namespace."),
    link_field("mount", "The mount namespace."),
    link_field("net", "The network namespace."),
    link_field("pid", "The PID namespace of the process itself."),
    link_field("pid_for_children", "The PID namespace of its next child."),
    link_field("time", "The time namespace of the process itself, Linux 5.6."),
    link_field("time_for_children", "The time namespace of its next child."),
    link_field("user", "The user namespace."),
    link_field("uts", "The UTS namespace."),
    Field {
        name: "own",
        kind: Kind::Set(&Kind::Word(&NAMES)),
        brief: "The namespaces that differ from the host's, named as unshare(1) does.",
    },
    Field {
        name: "shared",
        kind: Kind::Set(&Kind::Word(&NAMES)),
        brief: "The namespaces that are the host's, named as unshare(1) does.",
    },
];

/// `namespaces`
pub(super) const NAMESPACES: Fact = Fact {
    name: "namespaces",
    argument: None,
    kind: Kind::Record(FIELDS),
    views: EVERYWHERE,
    brief: "The namespaces of the process, and which of them are the host's.",
    long: "The links under /proc/PID/ns, namespaces(7): kind and inode, `pid:[4026531836]`; two processes share a \
           namespace exactly if the texts are equal. `own` and `shared` hold each kind against the runner's namespace \
           of that kind. A kind that the kernel does not have is in neither.",
    example: "namespaces: { own: [pid, mount, uts, ipc, net], shared: [user, cgroup, time] }",
    observe: |subject, _| observe(subject),
    relate: Some(relate),
};

fn observe(subject: &Subject) -> Result<Reading, Unobserved> {
    let mut map = Map::new();
    for (name, link) in LINKS {
        if let Some(text) = read_link(&subject.proc_file(Path::new("ns").join(link)), name)? {
            map.insert(name.to_owned(), text.into());
        }
    }
    let raw = map.values().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
    Ok(reading(map, raw))
}

/// A kind that this kernel does not have is left out; but the user namespace's link tells that the directory is there at all.
fn read_link(path: &Path, name: &str) -> Result<Option<String>, Unobserved> {
    match std::fs::read_link(path) {
        Ok(target) => Ok(Some(show(target.as_os_str().as_encoded_bytes()))),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) && is_newer(name) => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Kinds that came after Linux 3.8: a kernel may lack them. `pid_for_children` is empty (ENOENT) until the first child was made.
fn is_newer(name: &str) -> bool {
    name.starts_with("time") || matches!(name, "cgroup" | "pid_for_children")
}

/// Adds `own` and `shared`: each kind that both readings have.
fn relate(value: &mut Value, peers: &Peers<'_>) {
    let (Some(map), host) = (value.as_object_mut(), peers.host) else { return };
    let both = |name: &&str| map.contains_key(*name) && host.get(*name).is_some();
    let (shared, own): (Vec<&str>, Vec<&str>) =
        NAMES.into_iter().filter(both).partition(|name| map.get(*name) == host.get(*name));
    map.insert("own".to_owned(), own.into());
    map.insert("shared".to_owned(), shared.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_is_own_or_shared() {
        let mut inside =
            json!({ "user": "user:[1]", "pid": "pid:[2]", "net": "net:[3]", "pid_for_children": "pid:[2]" });
        let host = json!({ "user": "user:[1]", "pid": "pid:[9]", "net": "net:[8]", "time": "time:[4]" });
        relate(&mut inside, &Peers::host(&host));
        assert_eq!(inside["own"], json!(["pid", "net"]));
        assert_eq!(inside["shared"], json!(["user"]));
    }

    #[test]
    fn a_process_shares_all_with_itself() {
        let mut reading = observe(&Subject::oneself()).unwrap();
        let host = reading.value.clone();
        relate(&mut reading.value, &Peers::host(&host));
        assert_eq!(reading.value["own"], json!([]));
        assert!(reading.value["shared"].as_array().unwrap().len() >= 7);
    }
}
