//! What is wrong with a spec: all of it, each with its place and its mend, in the look of rustc.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::expect::Span;

use super::source::Source;

/// More problems of one file than this are counted rather than shown.
const SHOWN: usize = 60;

/// More than this are not even counted.
const KEPT: usize = 1000;

/// The most values that all rows of a spec may make together: some ten thousand claims.
const MADE: usize = 1_000_000;

/// The longest message, label or mend in characters, and the longest underlining.
const LONGEST: usize = 400;

/// Everything that is wrong with a spec; never empty.
#[derive(Debug, Clone)]
pub struct Problems {
    list: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file; of a block that is used, another than the spec's.
    pub source: Arc<Source>,
    /// Where.
    pub at: Span,
    /// What, in a line.
    pub message: String,
    /// What stands beside the underlined text; may be empty.
    pub label: String,
    /// Another place that has to do with it: the first of two equal keys.
    pub also: Option<(Span, String)>,
    /// The mend.
    pub help: Option<String>,
    /// How often the same is wrong at the same place with other values, in other rows.
    pub alike: usize,
}

impl Problems {
    /// The problems, in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them as text for a terminal, with or without colour.
    pub fn render(&self, color: bool) -> String {
        let mut parts: Vec<_> = self.list.iter().take(SHOWN).map(|problem| problem.render(color)).collect();
        if self.list.len() > SHOWN {
            parts.push(format!("and {} more problems", self.list.len() - SHOWN));
        }
        parts.join("\n\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl Problem {
    /// Adds the mend.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(short(help.into()));
        self
    }

    /// Adds another place that has to do with it.
    pub(super) fn also(&mut self, at: Span, label: &str) -> &mut Self {
        self.also = Some((at, label.to_owned()));
        self
    }

    /// Whether it is the same at the same place, whatever the value.
    fn is_alike(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.at == other.at && self.message == other.message
    }

    /// What stands beside the underlined text.
    fn beside(&self) -> String {
        match self.alike {
            0 => self.label.clone(),
            1 => format!("{}; and 1 more row", self.label),
            more => format!("{}; and {more} more rows", self.label),
        }
    }

    /// As text for a terminal.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let path = self.source.path.display().to_string();
        let text = self.source.text.as_str();
        let primary = AnnotationKind::Primary.span(bytes(text, self.at));
        let label = self.beside();
        let primary = if self.label.is_empty() { primary } else { primary.label(label.as_str()) };
        let mut snippet = Snippet::source(text).path(path).annotation(primary);
        if let Some((at, label)) = &self.also {
            snippet =
                snippet.annotation(AnnotationKind::Context.span(bytes(text, *at)).label(label.as_str()));
        }
        let mut group = Group::with_title(Level::ERROR.primary_title(self.message.as_str())).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// A text that a hostile spec cannot make longer than a few lines.
fn short(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The bytes that a span covers, within its line.
pub(crate) fn bytes(text: &str, at: Span) -> Range<usize> {
    let mut start = 0;
    for _ in 1..at.line {
        start = text[start..].find('\n').map_or(text.len(), |newline| start + newline + 1);
    }
    let line = text[start..].lines().next().unwrap_or_default();
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(index, _)| index);
    let first = byte(at.column.saturating_sub(1));
    start + first..start + byte(at.column.saturating_sub(1) + at.length.min(LONGEST)).max(first)
}

/// The problems of one file while it is being read.
#[derive(Debug)]
pub(super) struct Notes {
    /// The file that positions point into.
    pub(super) source: Arc<Source>,
    /// What each document of it is: `scenario`.
    pub(super) holds: &'static str,
    list: Vec<Problem>,
    /// How many values the rows have made so far.
    made: usize,
}

impl Notes {
    pub(super) const fn new(source: Arc<Source>) -> Self {
        Self::of_file("scenario", source)
    }

    /// Of a file whose documents are something else than scenarios.
    pub(super) const fn of_file(holds: &'static str, source: Arc<Source>) -> Self {
        Self { source, holds, list: Vec::new(), made: 0 }
    }

    /// Records a problem; `label` stands beside the underlined text.
    pub(super) fn error(
        &mut self,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Problem {
        let (message, label) = (short(message.into()), short(label.into()));
        let source = Arc::clone(&self.source);
        self.list.truncate(KEPT);
        self.list.push(Problem { source, at, message, label, also: None, help: None, alike: 0 });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Counts a value that a row makes; false once there are too many, which is noted once. Rows of rows of a large file would
    /// else take all memory.
    pub(super) fn may_make(&mut self, at: Span) -> bool {
        self.made += 1;
        if self.made == MADE {
            let help = "split the spec, or give it fewer rows";
            self.error(at, format!("the rows make more than {MADE} values"), "at this one").help(help);
        }
        self.made < MADE
    }

    /// How many there are so far.
    pub(super) const fn count(&self) -> usize {
        self.list.len()
    }

    /// Takes over the problems of another file.
    pub(super) fn absorb(&mut self, other: Self) {
        self.list.extend(other.list);
        self.made += other.made;
    }

    /// The problems in the order of their lines, each once: a row of `for_each` repeats those of the row before, maybe with another value.
    pub(super) fn into_problems(self) -> Problems {
        let mut list: Vec<Problem> = Vec::new();
        for problem in self.list {
            match list.iter_mut().find(|known| known.is_alike(&problem)) {
                Some(known) => known.alike += usize::from(known.label != problem.label),
                None => list.push(problem),
            }
        }
        list.sort_by(|left, right| (&left.source.path, left.at).cmp(&(&right.source.path, right.at)));
        Problems { list }
    }
}
