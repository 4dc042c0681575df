//! From a file to a [`Spec`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::documents;
use super::model::Spec;
use super::problem::{Notes, Problems};
use super::scenarios::{refuse_duplicates, scenarios};
use super::source::{Source, from_text, read};
use super::tree::{Data, Down, Node, kind_of};

/// Reads a spec from its file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path) -> Result<Spec, Problems> {
    read(path).and_then(|source| decode(&source))
}

/// Reads a spec from its text; `path` is its name in messages, and what relative paths in it are relative to.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(path: &Path, text: String) -> Result<Spec, Problems> {
    from_text(path, text).and_then(|source| decode(&source))
}

/// Something that is wrong although each value is of the right kind.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) path: Vec<Down>,
    /// Whether it is the key at the end of the path, and not its value.
    pub(crate) of_key: bool,
    /// What, in a line.
    pub(crate) message: String,
    /// The mend.
    pub(crate) help: String,
}

impl Fault {
    fn note(&self, document: &Node, notes: &mut Notes) {
        let entry = match self.path.split_last() {
            Some((Down::Key(key), path)) if self.of_key => {
                document.down(path).and_then(|node| node.entry(key))
            }
            _ => None,
        };
        let at = entry.map(|entry| entry.at).or_else(|| document.down(&self.path).map(|node| node.at));
        notes.error(at.unwrap_or(document.at), self.message.as_str(), "").help(self.help.as_str());
    }
}

/// Reads a file of another kind than a spec, of one document: with the same fences before it, and the same errors with their places.
/// `what` is what it holds, `runtime`; its text is given, or read from the path. `review` finds what else is wrong with what was decoded,
/// beside the file as it was written.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load_as<T: DeserializeOwned>(
    path: &Path,
    text: Option<&str>,
    what: &'static str,
    review: impl Fn(&T, &Value) -> Vec<Fault>,
) -> Result<T, Problems> {
    let source = text.map_or_else(|| read(path), |text| from_text(path, text.to_owned()))?;
    let mut notes = Notes::of_file(what, source);
    let decoded = documents(&mut notes).and_then(|documents| match documents.as_slice() {
        [document] if !matches!(document.data, Data::Map(_)) => {
            let label = format!("expected a mapping, found {}", kind_of(document));
            notes
                .error(document.at, format!("this is no {what}"), label)
                .help("write `KEY: value`, one a line");
            None
        }
        [document] => {
            let decoded = super::decode::decode(document, &format!("a {what}"), &[], &mut notes);
            let faults = decoded.iter().filter(|_| notes.count() == 0);
            let faults: Vec<Fault> =
                faults.flat_map(|decoded| review(decoded, &document.to_json())).collect();
            for fault in faults {
                fault.note(document, &mut notes);
            }
            decoded
        }
        [_, second, ..] => {
            notes.error(second.at, format!("a second {what}"), "").help("write it to a file of its own");
            None
        }
        [] => None,
    });
    decoded.filter(|_| notes.count() == 0).ok_or_else(|| notes.into_problems())
}

fn decode(source: &Arc<Source>) -> Result<Spec, Problems> {
    let mut notes = Notes::new(Arc::clone(source));
    let Some(documents) = documents(&mut notes) else { return Err(notes.into_problems()) };
    let mut all = Vec::new();
    for document in &documents {
        all.extend(scenarios(document, &documents, &mut notes));
    }
    refuse_duplicates(&all, &mut notes);
    if notes.count() > 0 {
        return Err(notes.into_problems());
    }
    let (path, text) = (source.path.clone(), source.text.clone());
    Ok(Spec { path, text, scenarios: all })
}

/// The names of values that were used, over all rows.
pub(super) type Used = BTreeSet<String>;
