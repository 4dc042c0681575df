//! What the types of settings cannot say: names of capabilities, absolute paths, dates.

use std::path::Path;

use crate::expect::Span;
use crate::sys::CAPABILITIES;

use super::problem::Notes;
use super::scalar::Span as Duration;
use super::settings::Settings;
use super::suggest::one_of;
use super::tree::{Data, Node};

/// The name of a scenario or a claim must be one.
pub(super) fn sentence(text: &str, at: Span, what: &str, notes: &mut Notes) {
    if text.trim().is_empty() || text.trim() != text || text.contains('\n') || text.contains("::") {
        let problem = notes.error(at, format!("the name of a {what} must be a sentence in one line"), "");
        problem.help("it is a part of the test's name: no blanks around it, and no `::` in it");
    }
}

/// A list that restricts to nothing, and durations in which nothing can be seen.
pub(super) fn restrictions(node: &Node, notes: &mut Notes) {
    if let Some(entry) = node
        .entry("runtimes")
        .filter(|entry| matches!(&entry.value.data, Data::List(items) if items.is_empty()))
    {
        notes.error(entry.at, "`runtimes` names none", "").help("name the runtimes, or leave it out for all");
    }
    for entry in ["timeout", "within", "stays"].into_iter().filter_map(|key| node.entry(key)) {
        let zero = entry
            .value
            .text()
            .and_then(|text| text.parse::<Duration>().ok())
            .is_some_and(|span| span.0.is_zero());
        if zero {
            notes
                .error(entry.value.at, format!("`{}` lasts no time", entry.key), "")
                .help("write it as `300ms` or `2s`");
        }
    }
}

/// What the types of settings cannot say.
pub(super) fn settings(node: Option<&Node>, settings: Option<&Settings>, notes: &mut Notes) {
    let (Some(node), Some(settings)) = (node, settings) else { return };
    capabilities(node, settings, notes);
    seccomp(node, settings, notes);
    for key in ["mask", "read_only", "devices"] {
        items(node, &[key]).for_each(|node| absolute(node, notes));
    }
    for mount in node.entry("mounts").map(|entry| list(&entry.value)).unwrap_or_default() {
        mount.entry("target").into_iter().for_each(|entry| absolute(&entry.value, notes));
    }
    for plant in node.entry("planted").map(|entry| list(&entry.value)).unwrap_or_default() {
        planted(plant, notes);
    }
    node.entry("cwd").into_iter().for_each(|entry| absolute(&entry.value, notes));
    if let Some(entry) = node.entry("command").filter(|entry| list(&entry.value).is_empty()) {
        notes.error(entry.at, "the command is empty", "").help("write a list of words, or leave it out");
    }
}

/// A link or a file, or other permissions of what is there.
fn planted(node: &Node, notes: &mut Notes) {
    match node.entry("path") {
        Some(entry) => absolute(&entry.value, notes),
        None => {
            notes
                .error(node.at, "what is planted has no `path`", "")
                .help("write where in the image it lies");
        }
    }
    let kinds = ["link", "hard_link", "file"].into_iter().filter(|key| node.entry(key).is_some()).count();
    let mode = node.entry("mode");
    if kinds > 1 || kinds == 0 && mode.is_none() {
        let problem = notes.error(node.at, "what is planted is either a `link` or a `file`", "");
        problem.help("write one of them, or `mode` alone for other permissions of what is there");
    }
    let is_mode = |text: &str| u32::from_str_radix(text, 8).is_ok_and(|bits| bits <= 0o7777);
    if let Some(entry) = mode.filter(|entry| entry.value.text().is_some_and(|text| !is_mode(text))) {
        notes.error(entry.value.at, "these are no permissions", "").help("write them in octal: `\"4755\"`");
    }
}

/// A day, as `known_issue` has it.
pub(super) fn date(text: &str, at: Span, notes: &mut Notes) {
    let parts: Vec<Option<u32>> = text.split('-').map(|part| part.parse().ok()).collect();
    let is_day = matches!(parts.as_slice(), [Some(_), Some(1..=12), Some(1..=31)]) && text.len() == 10;
    if !is_day {
        notes.error(at, format!("`{text}` is not a day"), "").help("write it as `2027-01-31`");
    }
}

fn capabilities(node: &Node, settings: &Settings, notes: &mut Notes) {
    let Some(entry) = node.entry("capabilities") else { return };
    match &settings.capabilities {
        Some(both) if both.keep.is_some() && both.drop.is_some() => {
            let problem = notes.error(entry.at, "`capabilities` has both `keep` and `drop`", "");
            problem.help("`keep` names all that are kept, `drop` all that are not: write one of them");
        }
        Some(neither)
            if neither.keep.is_none() && neither.drop.is_none() && entry.value.entries().is_empty() =>
        {
            notes.error(entry.at, "`capabilities` says nothing", "").help("write `keep: […]` or `drop: […]`");
        }
        _ => {}
    }
    for word in items(node, &["capabilities", "keep"]).chain(items(node, &["capabilities", "drop"])) {
        capability(word, notes);
    }
}

fn capability(node: &Node, notes: &mut Notes) {
    let Some(word) = node.text().filter(|word| !CAPABILITIES.contains(word) && *word != "all") else {
        return;
    };
    notes.error(node.at, format!("unknown capability `{word}`"), "").help(one_of(word, CAPABILITIES));
}

/// A named profile, or a file beside the spec.
fn seccomp(node: &Node, settings: &Settings, notes: &mut Notes) {
    let (Some(entry), Some(profile)) = (node.entry("seccomp"), &settings.seccomp) else { return };
    let directory = notes.source.path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    if !["default", "none"].contains(&profile.as_str()) && !directory.join(profile).is_file() {
        let problem = notes.error(entry.value.at, format!("there is no seccomp profile `{profile}`"), "");
        problem.help("write `default`, `none`, or the path of a profile relative to the spec");
    }
}

fn absolute(node: &Node, notes: &mut Notes) {
    if let Some(path) = node.text().filter(|path| !path.starts_with('/')) {
        let problem = notes.error(node.at, format!("the path `{path}` is not absolute"), "");
        problem.help(format!("write it from the root: `/{path}`"));
    }
}

fn items<'a>(node: &'a Node, path: &[&str]) -> impl Iterator<Item = &'a Node> {
    let found = path.iter().try_fold(node, |node, key| node.entry(key).map(|entry| &entry.value));
    found.map(list).unwrap_or_default().iter()
}

fn list(node: &Node) -> &[Node] {
    match &node.data {
        Data::List(items) => items,
        _ => &[],
    }
}
