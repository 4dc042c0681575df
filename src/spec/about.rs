//! What scenarios and claims both say: references, tags, needs.

use std::sync::Arc;

use crate::fact::Vantage;

use super::checks::restrictions;
use super::head::{ClaimHead, ScenarioHead};
use super::model::{About, Need, NeedKind, RuntimeName};
use super::problem::Notes;
use super::settings::Namespace;
use super::suggest::one_of;
use super::tree::{Data, Node};

/// The first words of needs.
pub(crate) const NEEDS: [&str; 11] = [
    "kernel",
    "cgroup",
    "root",
    "unprivileged",
    "namespace",
    "program",
    "runtime",
    "config",
    "landlock",
    "vm",
    "image",
];

/// The beginnings of references.
const REFERENCES: [&str; 6] = ["man:", "cve:", "oci:", "cis-docker:", "https://", "http://"];

/// A scenario's.
pub(super) fn of_scenario(head: &ScenarioHead, node: &Node, notes: &mut Notes) -> About {
    restrictions(node, notes);
    About {
        why: head.why.clone(),
        see: references(&head.see, node, notes),
        tags: head.tags.clone(),
        needs: needs(&head.needs, node, notes),
        runtimes: runtimes(&head.runtimes, node, notes),
        timeout: head.timeout.map(|span| span.0),
    }
}

/// A claim's.
pub(super) fn of_claim(head: &ClaimHead, node: &Node, notes: &mut Notes) -> About {
    restrictions(node, notes);
    About {
        why: head.why.clone(),
        see: references(&head.see, node, notes),
        tags: head.tags.clone(),
        needs: needs(&head.needs, node, notes),
        runtimes: runtimes(&head.runtimes, node, notes),
        timeout: head.timeout.map(|span| span.0),
    }
}

/// The items of a list under this key, to say where one of its elements stands.
fn elements<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    match node.entry(key).map(|entry| &entry.value.data) {
        Some(Data::List(items)) => items,
        _ => &[],
    }
}

fn runtimes(names: &[String], node: &Node, notes: &Notes) -> Vec<RuntimeName> {
    let named = names.iter().zip(elements(node, "runtimes"));
    let name = |(name, node): (&String, &Node)| {
        let source = Arc::clone(&notes.source);
        RuntimeName { name: name.clone(), at: node.at, source }
    };
    named.map(name).collect()
}

fn references(see: &[String], node: &Node, notes: &mut Notes) -> Vec<String> {
    for (node, text) in elements(node, "see").iter().filter_map(|node| Some((node, node.text()?))) {
        if !REFERENCES.iter().any(|start| text.starts_with(start)) {
            let problem = notes.error(node.at, format!("`{text}` is not a reference"), "");
            problem.help("write `man:pid_namespaces(7)`, `cve:2019-5736`, `oci:…`, `cis-docker:…` or a URL");
        }
    }
    see.to_vec()
}

fn needs(texts: &[String], node: &Node, notes: &mut Notes) -> Vec<Need> {
    for node in elements(node, "needs") {
        let Some(text) = node.text() else { continue };
        if let Err(help) = need(text) {
            notes.error(node.at, format!("unknown need `{text}`"), "").help(help);
        }
    }
    texts.iter().filter_map(|text| need(text).ok().map(|kind| Need { text: text.clone(), kind })).collect()
}

/// What a need asks for, or the mend.
fn need(text: &str) -> Result<NeedKind, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["kernel", ">=", version] => version
            .split('.')
            .map(|number| number.parse().ok())
            .collect::<Option<Vec<u32>>>()
            .map(NeedKind::Kernel)
            .ok_or_else(|| "write the version in numbers: `kernel >= 5.6`".to_owned()),
        ["kernel", ..] => Err("write `kernel >= 5.6`".to_owned()),
        ["cgroup", "v1"] => Ok(NeedKind::Cgroup(1)),
        ["cgroup", "v2"] => Ok(NeedKind::Cgroup(2)),
        ["cgroup", ..] => Err("write `cgroup v1` or `cgroup v2`".to_owned()),
        ["root"] => Ok(NeedKind::Root),
        ["unprivileged"] => Ok(NeedKind::Unprivileged),
        ["namespace", kind] => namespace(kind),
        ["program", name] => Ok(NeedKind::Program((*name).to_owned())),
        ["runtime", "can", setting] => Ok(NeedKind::RuntimeCan((*setting).to_owned())),
        ["runtime", ..] => Err("write `runtime can SETTING`".to_owned()),
        ["config", name] if name.starts_with("CONFIG_") => Ok(NeedKind::Config((*name).to_owned())),
        ["config", ..] => Err("write `config CONFIG_SECCOMP`".to_owned()),
        ["landlock", ">=", version] => version
            .parse()
            .map(NeedKind::Landlock)
            .map_err(|_| "write the version of the ABI as a number: `landlock >= 4`".to_owned()),
        ["landlock", ..] => Err("write `landlock >= 4`".to_owned()),
        ["vm"] => Ok(NeedKind::Vm),
        ["image", name] => Ok(NeedKind::Image((*name).to_owned())),
        [first, ..] => Err(one_of(first, NEEDS)),
        [] => Err(one_of("", NEEDS)),
    }
}

fn namespace(kind: &str) -> Result<NeedKind, String> {
    let known = Namespace::ALL.map(Namespace::name);
    if known.contains(&kind) { Ok(NeedKind::Namespace(kind.to_owned())) } else { Err(one_of(kind, known)) }
}

/// All three vantages, for what is not a fact of the table.
pub(super) const EVERYWHERE: &[Vantage] = &[Vantage::Inside, Vantage::Outside, Vantage::Host];
