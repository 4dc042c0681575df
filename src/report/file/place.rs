//! What `--report FORMAT=FILE` says.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::form::{FORMS, Form};

/// A report that is asked for.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its form.
    pub form: Form,
    /// Where it is to be.
    pub path: PathBuf,
}

/// What is wrong with `FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No `=`, or nothing behind it.
    #[error("expected FORMAT=FILE, as in html=report.html")]
    NoFile,
    /// There is no such form.
    #[error("there is no format `{name}`; there are {}", known())]
    UnknownForm {
        /// The word before the `=`.
        name: String,
    },
    /// The file could not be made there.
    #[error("there is no folder {} to put the report in", .0.display())]
    NoFolder(PathBuf),
    /// The file is a folder.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
}

fn known() -> String {
    FORMS.iter().map(|form| form.name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Place {
    type Err = PlaceError;

    /// What can be known before the run is checked here: a run of an hour should not end with a report that could never be written.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (name, path) = text.split_once('=').ok_or(PlaceError::NoFile)?;
        let form = FORMS.iter().find(|form| form.name == name).copied();
        let form = form.ok_or_else(|| PlaceError::UnknownForm { name: name.to_owned() })?;
        if path.is_empty() {
            return Err(PlaceError::NoFile);
        }
        let path = PathBuf::from(path);
        let folder = folder(&path);
        match () {
            () if path.is_dir() => Err(PlaceError::Folder(path)),
            () if !folder.is_dir() => Err(PlaceError::NoFolder(folder)),
            () => Ok(Self { form, path }),
        }
    }
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_report_is_a_format_and_a_file() {
        let check = |text: &str, expected: Result<(&str, &str), &str>| {
            let place =
                text.parse::<Place>().map(|place| (place.form.name, place.path.display().to_string()));
            let place = place.map_err(|error| error.to_string());
            let expected = expected.map(|(form, path)| (form, path.to_owned())).map_err(str::to_owned);
            assert_eq!(place, expected);
        };
        check("html=out.html", Ok(("html", "out.html")));
        check("json=/tmp/a=b", Ok(("json", "/tmp/a=b")));
        check("html", Err("expected FORMAT=FILE, as in html=report.html"));
        check("html=", Err("expected FORMAT=FILE, as in html=report.html"));
        check(
            "odd=x",
            Err(
                "there is no format `odd`; there are html, json, jsonl, markdown, junit, tap, ktap, github, sarif",
            ),
        );
        check("html=/nonexistent/x", Err("there is no folder /nonexistent to put the report in"));
        check("html=/tmp", Err("/tmp is a folder"));
    }
}
