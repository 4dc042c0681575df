//! Words of a runtime's command line, with placeholders for what differs from sandbox to sandbox.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::{Deserialize, Deserializer, de};

use crate::sandbox::runtime::Cannot;

/// What can stand in braces. `{command}`, `{settings}`, `{env}`, `{root}`, `{flags}` and `{removes_itself}` stand for any number of words, and only for whole ones.
const PLACEHOLDERS: [&str; 33] = [
    "NAME",
    "agent",
    "bundle",
    "command",
    "cpus",
    "cwd",
    "env",
    "exec",
    "flags",
    "gid",
    "id",
    "image",
    "inside",
    "name",
    "names",
    "options",
    "origin",
    "outside",
    "count",
    "path",
    "percent",
    "place",
    "program",
    "removes_itself",
    "root",
    "rootfs",
    "settings",
    "signal",
    "source",
    "state",
    "target",
    "uid",
    "value",
];

/// A placeholder, or the two braces with which Go's templates begin (`docker inspect --format '{{.State.Pid}}'`), which are none.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the pattern is a constant")]
    Regex::new(r"\{\{|\{([A-Za-z_]+)\}").expect("a pattern")
});

/// One word of a command line, with its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word(String);

impl Word {
    /// Whether the agent's directory is in it.
    pub(super) fn names_agent(&self) -> bool {
        self.0.contains("{agent}")
    }

    /// The word itself or, where it is just the name of one of these programs, that one's path.
    pub(super) fn with_path(&self, programs: &[String], path: impl Fn(&str) -> String) -> Self {
        if programs.contains(&self.0) { Self(path(&self.0)) } else { self.clone() }
    }

    /// Whether it is just this placeholder.
    pub(super) fn is_placeholder(&self, name: &str) -> bool {
        self.0.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name)
    }

    /// Whether it stands for the flags.
    pub(super) fn is_flags(&self) -> bool {
        self.0 == "{flags}"
    }

    /// The word that is the root filesystem's path.
    pub(super) fn rootfs() -> Self {
        Self("{rootfs}".to_owned())
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut names = PLACEHOLDER.captures_iter(&text).filter_map(|found| found.get(1));
        match names.find(|name| !PLACEHOLDERS.contains(&name.as_str())) {
            None => Ok(Self(text.clone())),
            Some(name) => Err(de::Error::custom(format!(
                "unknown placeholder `{{{}}}`: there are {}",
                name.as_str(),
                PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(" ")
            ))),
        }
    }
}

/// The names of the placeholders in a word.
pub(super) fn placeholders(word: &str) -> impl Iterator<Item = &str> {
    PLACEHOLDER.captures_iter(word).filter_map(|found| found.get(1)).map(|name| name.as_str())
}

/// What placeholders stand for at one place.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    one: HashMap<&'static str, String>,
    many: HashMap<&'static str, Vec<String>>,
}

impl Values {
    /// With a placeholder that stands for a part of a word.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.one.insert(name, value.into());
        self
    }

    /// What a placeholder stands for that is a part of a word.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.one.get(name).map(String::as_str)
    }

    /// The words that one stands for which stands for words.
    pub(super) fn words(&self, name: &str) -> &[String] {
        self.many.get(name).map_or(&[], Vec::as_slice)
    }

    /// With one that stands for words.
    pub(super) fn with_words(mut self, name: &'static str, words: Vec<String>) -> Self {
        self.many.insert(name, words);
        self
    }
}

/// The words with their placeholders filled in. One that has no meaning at this place is an error of the runtime's file.
pub(super) fn fill(words: &[Word], values: &Values) -> Result<Vec<String>, Cannot> {
    let mut filled = Vec::new();
    for Word(word) in words {
        let whole = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match whole.and_then(|name| values.many.get(name)) {
            Some(many) => filled.extend(many.iter().cloned()),
            None => filled.push(fill_word(word, values)?),
        }
    }
    Ok(filled)
}

fn fill_word(word: &str, values: &Values) -> Result<String, Cannot> {
    let mut unknown = None;
    let filled = PLACEHOLDER.replace_all(word, |found: &Captures<'_>| {
        let Some(name) = found.get(1) else { return found[0].to_owned() };
        values.one.get(name.as_str()).cloned().unwrap_or_else(|| {
            unknown = Some(name.as_str().to_owned());
            String::new()
        })
    });
    match unknown {
        None => Ok(filled.into_owned()),
        Some(name) => Err(Cannot::because(format!(
            "its file has `{{{name}}}` in the word `{word}`, where it stands for nothing"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<Word> {
        list.iter().map(|word| Word((*word).to_owned())).collect()
    }

    #[test]
    fn placeholders_are_filled() {
        let values = Values::default().with("id", "x1").with_words("command", vec!["sh".into(), "-c".into()]);
        let check = |given: &[&str], expected: &[&str]| {
            assert_eq!(fill(&words(given), &values).unwrap(), expected, "{given:?}");
        };
        check(&["run", "--name={id}", "{command}"], &["run", "--name=x1", "sh", "-c"]);
        check(&["{{.State.Pid}}", "{id}{id}"], &["{{.State.Pid}}", "x1x1"]);
        check(&[], &[]);
    }

    #[test]
    fn a_placeholder_without_a_meaning_here_is_an_error() {
        let error = fill(&words(&["a={value}"]), &Values::default()).unwrap_err();
        assert_eq!(
            error.reason,
            "its file has `{value}` in the word `a={value}`, where it stands for nothing"
        );
    }

    #[test]
    fn an_unknown_placeholder_is_refused_when_it_is_read() {
        let error = serde_json::from_str::<Word>(r#""{rootf}""#).unwrap_err().to_string();
        assert!(error.starts_with("unknown placeholder `{rootf}`: there are {NAME} "), "{error}");
    }
}
