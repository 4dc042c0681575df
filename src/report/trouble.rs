//! A claim that is red, told in rustc's look: the line of the spec, expected and observed, the same fact from every
//! viewpoint, why it matters, and how to run just this claim again.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::engine::{Ended, Trouble};
use crate::expect::Span;
use crate::judge::Finding;
use crate::plan::{Entry, Test};
use crate::spec;

/// The most findings of one claim that are drawn.
const SHOWN: usize = 8;

/// The whole block, without a newline at its end.
pub fn render(test: &Test, ended: Ended, trouble: &Trouble, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let heading = format!("{} · {} · {}", path(test), sentence(test), test.column().name);
    let notes = notes(test, trouble);
    let snippets = snippets(test, trouble);
    let mut group = Group::with_title(Level::ERROR.with_name(ended.word()).primary_title(heading.as_str()));
    for snippet in snippets {
        group = group.element(snippet);
    }
    for (name, text) in &notes {
        group = group.element(Level::NOTE.with_name(name.as_str()).message(text.as_str()));
    }
    renderer.render(&[group])
}

/// The same of a test whose spec may not be to be had any more.
pub(super) fn of_entry(
    entry: &Entry,
    test: Option<&Test>,
    ended: Ended,
    trouble: &Trouble,
    color: bool,
) -> String {
    let message =
        || format!("{}: {}: {}", ended.word(), entry.name, trouble.message.clone().unwrap_or_default());
    test.map_or_else(message, |test| render(test, ended, trouble, color))
}

fn path(test: &Test) -> String {
    test.spec.path.display().to_string()
}

fn sentence(test: &Test) -> String {
    let row = |row: &str| if row.is_empty() { String::new() } else { format!(" ({row})") };
    format!("{}{}", test.claim().name, row(&test.claim().row))
}

/// The lines that the findings are about; the claim's own line where nothing was found to point at.
fn snippets<'a>(test: &'a Test, trouble: &'a Trouble) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = &test.claim().source;
    let frame = |at: Span, label: &'a str| {
        let annotation = AnnotationKind::Primary.span(spec::bytes(&source.text, at));
        let path = source.path.display().to_string();
        Snippet::source(source.text.as_str()).path(path).annotation(annotation.label(label))
    };
    let of_finding = |finding: &'a Finding| frame(finding.at, finding.label.as_str());
    let mut all: Vec<_> = trouble.findings.iter().take(SHOWN).map(of_finding).collect();
    if let Some(message) = &trouble.message {
        all.push(frame(test.claim().at, message.as_str()));
    }
    all
}

fn notes(test: &Test, trouble: &Trouble) -> Vec<(String, String)> {
    let mut notes: Vec<(String, String)> = Vec::new();
    let mut note = |name: &str, text: String| {
        if !text.is_empty() && !notes.iter().any(|(_, known)| *known == text) {
            notes.push((name.to_owned(), text));
        }
    };
    for finding in trouble.findings.iter().take(SHOWN) {
        for (name, text) in of_finding(finding) {
            note(&name, text);
        }
    }
    if trouble.findings.len() > SHOWN {
        note("more", format!("{} further findings", trouble.findings.len() - SHOWN));
    }
    let why = test.claim().about.why.as_ref().or(test.scenario().about.why.as_ref());
    note("why", why.cloned().unwrap_or_default());
    let see: Vec<&str> =
        test.scenario().about.see.iter().chain(&test.claim().about.see).map(String::as_str).collect();
    note("see", see.join(", "));
    note("again", again(test));
    note("kept", trouble.kept.as_ref().map(|path| path.display().to_string()).unwrap_or_default());
    notes
}

fn of_finding(finding: &Finding) -> Vec<(String, String)> {
    let mut notes = Vec::new();
    for evidence in &finding.evidence {
        let value = evidence.value.as_ref().map(shown).unwrap_or_default();
        let text = format!("{:<14} {value}  {}", evidence.fact, evidence.note);
        notes.push((format!("{:<7}", evidence.view), text.trim_end().to_owned()));
    }
    let list = |values: &[serde_json::Value]| values.iter().map(shown).collect::<Vec<_>>().join(", ");
    notes.push(("missing".to_owned(), list(&finding.missing)));
    notes.push(("extra".to_owned(), list(&finding.extra)));
    notes.push(("diff".to_owned(), finding.diff.clone().unwrap_or_default()));
    notes.push(("hint".to_owned(), finding.hint.clone().unwrap_or_default()));
    notes
}

/// A value on one line, cut where it is long.
pub(super) fn shown(value: &serde_json::Value) -> String {
    shown_in(value, 160)
}

/// The same, cut at so many characters.
pub(super) fn shown_in(value: &serde_json::Value, longest: usize) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), |text| text.escape_debug().to_string());
    if text.chars().count() <= longest {
        return text;
    }
    text.chars().take(longest).chain(['…']).collect()
}

/// The command that runs just this claim again. A kernel's name is not where it lies, which is for whoever ran it to say.
fn again(test: &Test) -> String {
    let claim = test.claim().name.replace('\'', r"'\''");
    let command = format!("airtight {} --claim '{claim}'", test.runtime.again(&path(test)));
    match &test.kernel {
        Some(kernel) => format!("{command} --kernel KERNEL, where KERNEL is {kernel}"),
        None => command,
    }
}
