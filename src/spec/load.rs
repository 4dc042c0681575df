//! From a file to a [`Spec`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::document::documents;
use super::model::Spec;
use super::problem::{Notes, Problems};
use super::scenarios::{refuse_duplicates, scenarios};
use super::source::{Source, from_text, read};

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
