//! `define` and `use`: named blocks of claims with parameters.

use std::path::{Component, Path, PathBuf};

use super::claims::claims;
use super::decode::decode;
use super::document::documents;
use super::head::{BlockHead, UseHead};
use super::load::Used;
use super::model::Claim;
use super::problem::Notes;
use super::rows::{self, Values};
use super::scope::Scope;
use super::source::read;
use super::suggest::one_of;
use super::tree::{Data, Entry, Node, kind_of};

/// Checks the form of the blocks that a document defines; their claims are checked where they are used.
pub(super) fn check_definitions(document: &Node, notes: &mut Notes) {
    let Some(define) = document.entry("define") else { return };
    if define.value.entries().is_empty() && !define.value.is_wrong() {
        notes
            .error(define.at, "nothing is defined here", "")
            .help("write `define: { a name: { claims: { … } } }`");
    }
    for block in define.value.entries() {
        let what = format!("the block `{}`", block.key);
        let head: Option<BlockHead> = decode(&block.value, &what, &[], notes);
        if head.is_some() && block.value.entry("claims").is_none() {
            notes.error(block.at, format!("{what} has no claims"), "").help("add `claims:`");
        }
    }
}

/// The claims of the blocks that a scenario uses.
pub(super) fn used_blocks(scenario: &Node, own: &[Node], scope: &Scope, notes: &mut Notes) -> Vec<Claim> {
    let Some(entry) = scenario.entry("use") else { return Vec::new() };
    let Data::List(uses) = &entry.value.data else {
        if !entry.value.is_wrong() {
            let problem =
                notes.error(entry.at, "`use` takes a list", format!("found {}", kind_of(&entry.value)));
            problem.help("write `use: [{ block: NAME, set: { … } }]`");
        }
        return Vec::new();
    };
    if uses.is_empty() {
        notes
            .error(entry.at, "nothing is used here", "")
            .help("write `use: [{ block: NAME }]`, or take it out");
    }
    uses.iter().flat_map(|node| used_block(node, own, scope, notes)).collect()
}

fn used_block(node: &Node, own: &[Node], scope: &Scope, notes: &mut Notes) -> Vec<Claim> {
    let Some(head) = decode::<UseHead>(node, "a use of a block", &[], notes) else { return Vec::new() };
    let Some(from) = &head.from else {
        let mut theirs = Notes::new(std::sync::Arc::clone(&notes.source));
        let claims = of_documents(&head, node, own, scope, notes, &mut theirs);
        notes.absorb(theirs);
        return claims;
    };
    let Some(path) = path_of(from, node, notes) else { return Vec::new() };
    match read(&path) {
        Err(problems) => {
            let reason = problems.iter().next().map(|problem| problem.message.clone()).unwrap_or_default();
            notes
                .error(value_at(node, "from"), format!("`{from}` cannot be used"), reason)
                .help("the path is relative to this spec");
            Vec::new()
        }
        Ok(source) => {
            let mut theirs = Notes::new(source);
            let documents = documents(&mut theirs).unwrap_or_default();
            let claims = of_documents(&head, node, &documents, scope, notes, &mut theirs);
            notes.absorb(theirs);
            claims
        }
    }
}

/// Where another spec lies. A relative path moves with the folder of specs; an absolute one would read what is not theirs.
fn path_of(from: &str, node: &Node, notes: &mut Notes) -> Option<PathBuf> {
    let path = Path::new(from);
    if path.components().any(|part| matches!(part, Component::RootDir | Component::Prefix(_))) {
        let problem = notes.error(value_at(node, "from"), format!("`{from}` is an absolute path"), "");
        problem.help("write it relative to this spec");
        return None;
    }
    Some(notes.source.path.parent().unwrap_or_else(|| Path::new("")).join(path))
}

fn of_documents(
    head: &UseHead,
    node: &Node,
    documents: &[Node],
    scope: &Scope,
    notes: &mut Notes,
    theirs: &mut Notes,
) -> Vec<Claim> {
    let blocks: Vec<&Entry> = documents
        .iter()
        .filter_map(|document| document.entry("define"))
        .flat_map(|define| define.value.entries())
        .collect();
    let Some(block) = blocks.iter().find(|block| block.key == head.block) else {
        if theirs.count() == 0 {
            let known: Vec<&str> = blocks.iter().map(|block| block.key.as_str()).collect();
            let help = if known.is_empty() {
                "that file defines none".to_owned()
            } else {
                one_of(&head.block, known)
            };
            notes
                .error(value_at(node, "block"), format!("there is no block `{}`", head.block), "")
                .help(help);
        }
        return Vec::new();
    };
    let what = format!("the block `{}`", block.key);
    let Some(definition) = decode::<BlockHead>(&block.value, &what, &[], theirs) else { return Vec::new() };
    let values = parameters(&definition, node, notes);
    let mut used = Used::new();
    let found = block.value.entry("claims").map(|entry| claims(entry, &values, scope, &mut used, theirs));
    unused_parameters(&definition, block, &used, theirs);
    let mut found = found.unwrap_or_default();
    for claim in &mut found {
        // The values of the parameters tell the claims of two uses apart, as those of a row do.
        let parts = [rows::label(&values), std::mem::take(&mut claim.row)];
        claim.row = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    }
    found
}

/// The values that a use gives to a block's parameters.
fn parameters(definition: &BlockHead, node: &Node, notes: &mut Notes) -> Values {
    let set = node.entry("set").map(|entry| entry.value.entries()).unwrap_or_default();
    let known: Vec<&str> = definition.parameters.iter().map(String::as_str).collect();
    for entry in set.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let help = if known.is_empty() {
            "the block has none".to_owned()
        } else {
            one_of(&entry.key, known.clone())
        };
        notes.error(entry.at, format!("the block has no parameter `{}`", entry.key), "").help(help);
    }
    for name in known.iter().filter(|name| !set.iter().any(|entry| entry.key == **name)) {
        let problem = notes.error(value_at(node, "block"), format!("the parameter `{name}` is not set"), "");
        problem.help(format!("add `set: {{ {name}: … }}`"));
    }
    // One that is not set stands as something that was reported, so that its uses are not reported again.
    let value = |name: &&str| {
        let given = set.iter().find(|entry| entry.key == **name).map(|entry| entry.value.clone());
        ((*name).to_owned(), given.unwrap_or(Node { at: node.at, data: Data::Wrong }))
    };
    known.iter().map(value).collect()
}

fn unused_parameters(definition: &BlockHead, block: &Entry, used: &Used, notes: &mut Notes) {
    let Some(Data::List(items)) = block.value.entry("parameters").map(|entry| &entry.value.data) else {
        return;
    };
    for name in definition.parameters.iter().filter(|name| !used.contains(*name)) {
        let at = items.iter().find(|node| node.text() == Some(name)).map_or(block.at, |node| node.at);
        let problem = notes.error(at, format!("the parameter `{name}` is never used"), "");
        problem.help(format!("write `${{{name}}}` where its value belongs, or take it out"));
    }
}

fn value_at(node: &Node, key: &str) -> crate::expect::Span {
    node.entry(key).map_or(node.at, |entry| entry.value.at)
}
