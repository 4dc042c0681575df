//! The forms of report files.

use super::json;
use crate::report::html;
use crate::report::matrix::Matrix;

/// A form that a report file can have.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Its name on the command line: `html`.
    pub name: &'static str,
    /// A sentence fragment, for `--help`.
    pub brief: &'static str,
    /// The file's whole text.
    pub write: fn(&Matrix) -> String,
}

/// All of them.
pub const FORMS: &[Form] = &[
    Form { name: "html", brief: "one page that needs nothing else, for a browser", write: html::page },
    Form { name: "json", brief: "one object with every claim on every runtime", write: json::document },
];
