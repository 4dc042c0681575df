//! A spec's file as text: the first fence, before any YAML parser sees it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::expect::Span;
use crate::sys::Failure;

use super::problem::{Notes, Problems};

/// The largest spec file in bytes. Both YAML parsers behind this fence hold the whole file in memory, several times over.
const LARGEST: usize = 1 << 20;

/// A file with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path as the user named it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Reads a file. Only regular files: a FIFO would never end.
pub(super) fn read(path: &Path) -> Result<Arc<Source>, Problems> {
    let unreadable = |call: &str, error: &std::io::Error| {
        let failure = Failure::from_io(call, &[&path], error);
        fault(path, String::new(), Span::start(), &format!("cannot read the file: {failure}"), "", "")
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable("stat", &error))?;
    if !metadata.is_file() {
        return Err(fault(path, String::new(), Span::start(), "this is not a regular file", "", ""));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| unreadable("open", &error))?;
    // One byte more than the cap is enough to know that the file exceeds it.
    let read = file.take(LARGEST as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable("read", &error))?;
    from_bytes(path, bytes)
}

/// A source from its text.
pub(super) fn from_text(path: &Path, text: String) -> Result<Arc<Source>, Problems> {
    from_bytes(path, text.into_bytes())
}

fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Arc<Source>, Problems> {
    if bytes.len() > LARGEST {
        let help = "split it into several files";
        return Err(fault(path, String::new(), Span::start(), "the file is larger than 1 MiB", "", help));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    if text.starts_with('\u{feff}') {
        let help = "save the file as UTF-8 without a byte order mark";
        return Err(fault(path, text, Span::start(), "the file starts with a byte order mark", "here", help));
    }
    if let Some(index) = text.find('\0') {
        let at = Span::of_byte(&text, index);
        return Err(fault(
            path,
            text.replace('\0', "\u{fffd}"),
            at,
            "the file holds a NUL",
            "here",
            "take it out",
        ));
    }
    Ok(Arc::new(Source { path: path.to_owned(), text }))
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Problems {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let at = Span::of_byte(&text, valid);
    fault(path, text, at, "the file is not UTF-8", "this byte", "save the file as UTF-8")
}

fn fault(path: &Path, text: String, at: Span, message: &str, label: &str, help: &str) -> Problems {
    let mut notes = Notes::new(Arc::new(Source { path: path.to_owned(), text }));
    let problem = notes.error(at, message, label);
    if !help.is_empty() {
        problem.help(help);
    }
    notes.into_problems()
}

impl Span {
    /// The first character of a file.
    pub(crate) const fn start() -> Self {
        Self { line: 1, column: 1, length: 1 }
    }

    /// One character, by its byte index.
    pub(crate) fn of_byte(text: &str, index: usize) -> Self {
        let before = &text[..index];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before[start..].chars().count() + 1, length: 1 }
    }
}
