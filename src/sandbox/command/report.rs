//! What a runtime says of its sandboxes and does to them: by the command lines of its file, and reports read by their JSON pointers.

use std::time::Duration;

use indexmap::IndexMap;
use nix::sys::signal::Signal;
use nix::unistd::Uid;
use serde_json::Value;

use super::ask::ask;
use super::definition::ReportForm;
use super::words::{Values, Word, fill};
use crate::fact::{Report, Reporter};

/// Asks the runtime.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) forms: IndexMap<String, ReportForm>,
    pub(super) kill: Option<Vec<Word>>,
    pub(super) values: Values,
    /// The process of the runtime, in whose mount namespace it keeps what it knows.
    pub(super) beside: Option<i32>,
    /// How long it may take to answer.
    pub(super) patience: Duration,
}

impl Reporter for Asking {
    fn report(&self, name: &str) -> Result<Report, String> {
        let form = self.forms.get(name).ok_or_else(|| self.unknown(name))?;
        let argv = self.filled(&form.run, &self.values)?;
        let said = ask(&argv, None, self.patience).map_err(|error| error.to_string())?;
        let said =
            String::from_utf8(said).map_err(|_| format!("`{}` did not print UTF-8", argv.join(" ")))?;
        read(form, said).map_err(|error| format!("`{}` did not print JSON: {error}", argv.join(" ")))
    }
}

/// What runs a command line in the mount namespace of a launcher; and first in the user namespace that this belongs to, if it has one of its
/// own.
fn beside(pid: i32) -> Vec<String> {
    let mut words = vec!["nsenter".to_owned()];
    if !Uid::effective().is_root() {
        words.extend([format!("--user=/proc/{pid}/ns/user"), "--preserve-credentials".to_owned()]);
    }
    words.extend([format!("--mount=/proc/{pid}/ns/mnt"), "--".to_owned()]);
    words
}

impl Asking {
    /// Has the runtime send the first process a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), String> {
        let words = self.kill.as_ref().ok_or("this runtime has no command that sends signals")?;
        let argv = self.filled(words, &self.values.clone().with("signal", signal.as_str()))?;
        ask(&argv, None, self.patience).map(drop).map_err(|error| error.to_string())
    }

    /// A command line, where the runtime finds what it keeps.
    fn filled(&self, words: &[Word], values: &Values) -> Result<Vec<String>, String> {
        let mut argv = fill(words, values).map_err(|cannot| cannot.reason)?;
        if let Some(pid) = self.beside {
            argv.splice(..0, beside(pid));
        }
        Ok(argv)
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.forms.keys().map(String::as_str).collect();
        match known.as_slice() {
            [] => "this runtime has no reports".to_owned(),
            _ => format!("this runtime has no report `{name}`; there are {}", known.join(", ")),
        }
    }
}

fn read(form: &ReportForm, text: String) -> serde_json::Result<Report> {
    let json: Value = serde_json::from_str(&text)?;
    let at = |pointer: &Option<String>| pointer.as_ref().and_then(|pointer| json.pointer(pointer));
    let namespaces = at(&form.namespaces).and_then(Value::as_object);
    let namespaces = namespaces.into_iter().flatten().filter_map(|(name, path)| {
        Some((file_name(name)?.to_owned(), path.as_str().filter(|path| !path.is_empty())?.to_owned()))
    });
    Ok(Report {
        pid: at(&form.pid).and_then(Value::as_i64),
        status: at(&form.status).and_then(Value::as_str).map(str::to_owned),
        exit_code: at(&form.exit_code).and_then(Value::as_i64),
        namespaces: namespaces.collect(),
        text,
    })
}

/// The name in `/proc/PID/ns` of what runc's state.json calls after the flags of clone(2).
fn file_name(name: &str) -> Option<&'static str> {
    let names = [
        ("NEWNS", "mnt"),
        ("NEWPID", "pid"),
        ("NEWNET", "net"),
        ("NEWUTS", "uts"),
        ("NEWIPC", "ipc"),
        ("NEWUSER", "user"),
        ("NEWCGROUP", "cgroup"),
        ("NEWTIME", "time"),
    ];
    names.into_iter().find(|(flag, _)| *flag == name).map(|(_, file)| file)
}
