//! The forms of report files.

use super::{github, json, jsonl, junit, ktap, markdown, sarif, tap};
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
    Form {
        name: "json",
        brief: "one object with everything, which `airtight merge` reads",
        write: json::document,
    },
    Form { name: "jsonl", brief: "the lines of `--format json`", write: jsonl::document },
    Form {
        name: "markdown",
        brief: "tables for a document: where kernels differ, by area, what is red, what is known",
        write: markdown::document,
    },
    Form { name: "junit", brief: "XML that CI servers read", write: junit::document },
    Form { name: "tap", brief: "TAP version 14", write: tap::document },
    Form { name: "ktap", brief: "the kernel's TAP, which `kunit.py parse` reads", write: ktap::document },
    Form {
        name: "github",
        brief: "annotations of a pull request, ten at most: to /dev/stdout in a step",
        write: github::document,
    },
    Form { name: "sarif", brief: "SARIF 2.1.0, for code scanning", write: sarif::document },
];

/// What `--help` says of them.
pub fn help() -> String {
    let forms: Vec<String> = FORMS.iter().map(|form| format!("`{}`, {}", form.name, form.brief)).collect();
    format!(
        "Write a report of the whole run to a file, as well; may be given several times: {}",
        forms.join("; ")
    )
}
