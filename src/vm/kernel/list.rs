//! Lists of kernels, `kernels.yaml`.
//!
//! ```yaml
//! kernels:
//!   - { path: host }
//!   - path: /var/cache/kernels/linux-*.deb
//!   - name: mainline
//!     path: ../linux
//!     append: [lsm=landlock]
//!     cgroups: v1
//!     known_issues:
//!       - because: the option is off
//!         link: https://example.org/1
//!         claims: ['A box::*']
//!     allowed_messages:
//!       - { match: 'WARNING: .*net/core/dev.c', because: it is reported, link: 'https://example.org/2', until: '2027-01-31' }
//! ```
//!
//! Paths are relative to the list's own folder, and patterns match as on the command line. `~` and `$` stand for themselves: a list says the same
//! whoever reads it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::allowed::AllowedMessage;
use super::cache::Cache;
use super::described::Kernel;
use super::error::{KernelError, Result};
use super::find::{Choice, HOST, kernels};
use crate::sandbox::KnownIssue;
use crate::spec::{Down, Fault, load_as};
use crate::vm::cgroups::Cgroups;

/// What a command line takes on x86 (`COMMAND_LINE_SIZE`), less what airtight says itself.
const LONGEST_APPEND: usize = 1024;

/// A list as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    kernels: Vec<Written>,
}

/// A kernel as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What it is called in reports.
    name: Option<String>,
    /// A file, a folder, a pattern, or `host`.
    path: String,
    /// Where its modules are, if not with it.
    modules: Option<PathBuf>,
    /// Further arguments for its command line.
    #[serde(default)]
    append: Vec<String>,
    /// How its cgroups are mounted: `v2`, `v1` or `hybrid`.
    cgroups: Option<Cgroups>,
    #[serde(default)]
    known_issues: Vec<KnownIssue>,
    #[serde(default)]
    allowed_messages: Vec<AllowedMessage>,
}

/// An entry with the kernels that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Option<String>,
    pub(super) choices: Vec<Choice>,
}

/// Reads a list.
///
/// # Errors
/// Everything that is wrong with it, with the kernels that are not there.
pub(super) fn load(path: &Path, cache: &Cache) -> Result<Vec<Entry>> {
    let entries = RefCell::new(Vec::new());
    load_as(path, None, "list of kernels", |list: &List, _: &Value| {
        let mut faults = review(list);
        if faults.is_empty() {
            let folder = path.parent().unwrap_or(Path::new(""));
            for (index, written) in list.kernels.iter().enumerate() {
                match entry(written, folder, cache) {
                    Ok(entry) => entries.borrow_mut().push(entry),
                    Err((key, message, help)) => faults.push(fault(index, &[key], message, help)),
                }
            }
        }
        faults
    })?;
    Ok(entries.into_inner())
}

/// What is wrong although each value is of the right kind.
fn review(list: &List) -> Vec<Fault> {
    let mut faults = Vec::new();
    if list.kernels.is_empty() {
        faults.push(Fault {
            path: vec![Down::Key("kernels".to_owned())],
            of_key: true,
            message: "the list has no kernels".to_owned(),
            help: "write `- path: …` for each".to_owned(),
        });
    }
    for (index, written) in list.kernels.iter().enumerate() {
        faults.extend(name_fault(list, index, written));
        faults.extend(append_faults(index, written));
        if written.path == HOST && has_more(written) {
            let message = "`host` is the kernel that runs airtight, and takes nothing besides";
            faults.push(fault(index, &["path"], message, "give the path of a kernel, or leave the rest out"));
        }
    }
    faults
}

fn has_more(written: &Written) -> bool {
    let lists = [written.append.len(), written.known_issues.len(), written.allowed_messages.len()];
    let one = written.name.is_some() || written.modules.is_some() || written.cgroups.is_some();
    one || lists.iter().any(|length| *length > 0)
}

fn name_fault(list: &List, index: usize, written: &Written) -> Option<Fault> {
    let name = written.name.as_deref()?;
    let of_name = |message: String, help: &str| Some(fault(index, &["name"], message, help));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        return of_name(format!("`{name}` cannot name a kernel"), "write letters, digits, and any of `._+-`");
    }
    if name == HOST {
        return of_name("`host` is the kernel that runs airtight".to_owned(), "give it another name");
    }
    let taken = list.kernels[..index].iter().any(|other| other.name.as_deref() == Some(name));
    if taken {
        return of_name(format!("two kernels are called `{name}`"), "give them different names");
    }
    None
}

fn append_faults(index: usize, written: &Written) -> Vec<Fault> {
    let odd = |word: &str| word.is_empty() || word.chars().any(|c| c.is_whitespace() || c.is_control());
    let words = written.append.iter().enumerate().filter(|(_, word)| odd(word));
    let mut faults: Vec<Fault> = words
        .map(|(place, word)| {
            let mut fault = fault(
                index,
                &["append"],
                format!("`{}` is not one argument", word.escape_debug()),
                "write each argument by itself: `[quiet, lsm=landlock]`",
            );
            fault.path.push(Down::Index(place));
            fault
        })
        .collect();
    let length: usize = written.append.iter().map(|word| word.len() + 1).sum();
    if length > LONGEST_APPEND {
        let message = format!("these arguments have {length} bytes, and there is room for {LONGEST_APPEND}");
        faults.push(fault(
            index,
            &["append"],
            message,
            "leave some out: the kernel would cut its command line",
        ));
    }
    faults
}

/// The kernels of an entry; or the key that is wrong, how, and the mend.
fn entry(
    written: &Written,
    folder: &Path,
    cache: &Cache,
) -> std::result::Result<Entry, (&'static str, String, String)> {
    let name = written.name.clone();
    if written.path == HOST {
        return Ok(Entry { name, choices: vec![Choice::Host] });
    }
    let mut found = kernels(&written.path, folder, cache).map_err(|error| parts("path", &error))?;
    if let (Some(name), [_, _, ..]) = (&name, found.as_slice()) {
        let message = format!("`{name}` names one kernel, and the path leads to {}", found.len());
        return Err(("path", message, "leave the name out, or write them one by one".to_owned()));
    }
    for kernel in &mut found {
        describe(kernel, written, folder).map_err(|error| parts("modules", &error))?;
    }
    let choices = found.into_iter().map(|kernel| Choice::Vm(Box::new(kernel))).collect();
    Ok(Entry { name, choices })
}

/// Gives a kernel what the list says of it.
fn describe(kernel: &mut Kernel, written: &Written, folder: &Path) -> Result<()> {
    if let Some(name) = &written.name {
        kernel.name.clone_from(name);
    }
    if let Some(modules) = &written.modules {
        kernel.take_modules_from(&folder.join(modules))?;
    }
    kernel.append.clone_from(&written.append);
    kernel.cgroups = written.cgroups;
    kernel.known_issues.clone_from(&written.known_issues);
    kernel.allowed_messages.clone_from(&written.allowed_messages);
    Ok(())
}

fn parts(key: &'static str, error: &KernelError) -> (&'static str, String, String) {
    let (message, help) = error.in_parts();
    (key, message, help)
}

fn fault(index: usize, keys: &[&str], message: impl Into<String>, help: impl Into<String>) -> Fault {
    let mut path = vec![Down::Key("kernels".to_owned()), Down::Index(index)];
    path.extend(keys.iter().map(|key| Down::Key((*key).to_owned())));
    Fault { path, of_key: false, message: message.into(), help: help.into() }
}
