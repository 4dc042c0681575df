//! Whose the namespaces of a process are: the host's, another sandbox's, or its own.

use serde_json::{Map, Value};

use super::namespaces::NAMES;
use super::{Field, Kind, Peer};

const fn field(name: &'static str) -> Field {
    Field { name, kind: Kind::Origin, brief: "`inherited` from the host, `new`, or `joined NAME`." }
}

/// One field for each kind of namespace, in the order of the fact `namespaces`.
pub(super) const FIELDS: &[Field] = &[
    field("user"),
    field("mount"),
    field("pid"),
    field("net"),
    field("uts"),
    field("ipc"),
    field("cgroup"),
    field("time"),
];

/// The links of a process's own namespaces as words. A kind that this kernel does not have is left out.
pub(super) fn origins(links: &Value, host: &Value, sandboxes: &[Peer]) -> Map<String, Value> {
    let of_kind = |kind: &str| {
        let link = links.get(kind)?;
        let in_it = |sandbox: &&Peer| sandbox.namespaces.get(kind) == Some(link);
        Some(match sandboxes.iter().find(in_it) {
            _ if host.get(kind) == Some(link) => "inherited".to_owned(),
            Some(sandbox) => format!("joined {}", sandbox.name),
            None => "new".to_owned(),
        })
    };
    NAMES.into_iter().filter_map(|kind| Some((kind.to_owned(), of_kind(kind)?.into()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_is_the_hosts_or_a_sandboxes_or_new() {
        let host = json!({ "pid": "pid:[1]", "net": "net:[1]" });
        let peer = |name: &str, namespaces: Value| Peer { name: name.to_owned(), namespaces, itself: false };
        let peers = [
            peer("a", json!({ "pid": "pid:[2]", "net": "net:[1]" })),
            peer("b", json!({ "pid": "pid:[3]", "net": "net:[3]" })),
        ];
        let check = |links: Value, expected: Value| {
            assert_eq!(Value::from(origins(&links, &host, &peers)), expected);
        };
        check(
            json!({ "pid": "pid:[1]", "net": "net:[1]" }),
            json!({ "pid": "inherited", "net": "inherited" }),
        );
        check(json!({ "pid": "pid:[2]", "net": "net:[3]" }), json!({ "pid": "joined a", "net": "joined b" }));
        check(json!({ "pid": "pid:[9]", "net": "net:[3]" }), json!({ "pid": "new", "net": "joined b" }));
        check(json!({ "net": "net:[9]", "pid_for_children": "pid:[1]" }), json!({ "net": "new" }));
    }

    #[test]
    fn each_kind_has_its_field() {
        let fields: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(fields, NAMES);
    }
}
