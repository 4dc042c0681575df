//! One pass over the events of a file before `serde_yaml` sees it: every key and value with its place, and a refusal of all
//! that `serde_yaml` would accept in silence or pay dearly for.
//!
//! `serde_yaml` lets the last of two equal keys win, ignores local tags, takes an empty value for an empty list, needs 17 s for
//! 200 KB of `[` and 3.9 GB for 260 KB of aliases. None of that reaches it.

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Range, Tag};

use crate::expect::Span;

use super::plain;
use super::problem::Notes;

/// How deep lists and mappings may be nested. A spec needs about ten.
const DEEPEST: usize = 64;

/// After so many problems the rest of the file is not looked at.
const ENOUGH: usize = 200;

/// A value of the outline.
#[derive(Debug)]
pub(super) struct Sketch {
    pub(super) at: Span,
    pub(super) shape: Shape,
}

/// What a value of the outline holds.
#[derive(Debug)]
pub(super) enum Shape {
    /// A scalar: its text, and whether it was reported as doubtful.
    Scalar(String, bool),
    List(Vec<Sketch>),
    /// Keys with their places, and values.
    Map(Vec<(String, Span, Sketch)>),
}

/// The documents of a file; `None` if it must not go on to `serde_yaml`.
pub(super) fn outline(notes: &mut Notes) -> Option<Vec<Sketch>> {
    let source = std::sync::Arc::clone(&notes.source);
    let mut builder = Builder {
        notes,
        text: Characters(source.text.chars().collect()),
        open: Vec::new(),
        documents: Vec::new(),
        fatal: false,
        started: None,
    };
    for event in Parser::new_from_str(&source.text) {
        if builder.notes.count() > ENOUGH {
            return None;
        }
        match event {
            Ok((event, range)) if builder.open.len() < DEEPEST => builder.take(event, range),
            Ok((_, range)) => return builder.too_deep(range),
            Err(error) => return builder.syntax(&error),
        }
    }
    (!builder.fatal).then_some(builder.documents)
}

/// A collection whose end has not come.
struct Open {
    at: Span,
    start: Range,
    shape: Shape,
    key: Option<(String, Span)>,
}

struct Builder<'a> {
    notes: &'a mut Notes,
    text: Characters,
    open: Vec<Open>,
    documents: Vec<Sketch>,
    fatal: bool,
    /// The place of the `---` that opened the present document.
    started: Option<Span>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, range: Range) {
        match event {
            Event::DocumentStart(explicit) => self.started = explicit.then(|| self.text.span(range)),
            Event::Alias(_) => {
                self.refuse(range, "an alias", "write the value out: a reader must see it where it counts");
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.check(range, anchor, tag.as_deref());
                self.scalar(&text, style, range);
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Shape::List(Vec::new()), range, anchor, tag.as_deref());
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Shape::Map(Vec::new()), range, anchor, tag.as_deref());
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range),
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, range: Range) {
        let at = self.text.span(range);
        if self.open.is_empty() && text.is_empty() && style == ScalarStyle::Plain {
            return self.nothing(at);
        }
        let is_key = self.expects_key();
        let doubt = if style == ScalarStyle::Plain { plain::doubt(text) } else { None };
        if let Some(doubt) = &doubt {
            // An empty value has no width of its own: its key shows where it is missing.
            let at = self.key_before().filter(|_| text.is_empty()).unwrap_or(at);
            self.notes.error(at, doubt.message.as_str(), "").help(doubt.help.as_str());
        }
        if is_key && doubt.is_some() {
            self.fatal = true;
        }
        self.put(Sketch { at, shape: Shape::Scalar(text.to_owned(), doubt.is_some()) });
    }

    fn begin(&mut self, shape: Shape, range: Range, anchor: usize, tag: Option<&Tag>) {
        self.check(range, anchor, tag);
        let at = self.text.span(range);
        if self.expects_key() {
            self.fatal = true;
            self.notes
                .error(at, "a key must be a text", "")
                .help("write a word or a sentence before the colon");
        }
        self.open.push(Open { at, start: range, shape, key: None });
    }

    fn end(&mut self, range: Range) {
        let Some(Open { at, start, shape, .. }) = self.open.pop() else { return };
        let flow = start.end.index() > start.start.index();
        let at = match (&shape, flow) {
            (_, true) => self.text.span(Range::new(start.start, range.end)),
            (Shape::Map(entries), _) => entries.first().map_or(at, |(_, at, _)| *at),
            (Shape::List(items), _) => items.first().map_or(at, |node| node.at),
            _ => at,
        };
        self.put(Sketch { at, shape });
    }

    /// Gives a finished value to the collection that holds it.
    fn put(&mut self, sketch: Sketch) {
        match self.open.last_mut().map(|open| (&mut open.shape, &mut open.key)) {
            None => self.documents.push(sketch),
            Some((Shape::List(items), _)) => items.push(sketch),
            Some((Shape::Map(entries), key)) => match key.take() {
                Some((key, at)) => entries.push((key, at, sketch)),
                None => self.put_key(sketch),
            },
            Some((Shape::Scalar(..), _)) => {}
        }
    }

    fn put_key(&mut self, sketch: Sketch) {
        let (at, text) = match sketch.shape {
            Shape::Scalar(text, _) => (sketch.at, text),
            _ => (sketch.at, String::new()),
        };
        let Some(Open { shape: Shape::Map(entries), key, .. }) = self.open.last_mut() else { return };
        let first = entries.iter().find(|(key, ..)| *key == text).map(|(_, at, _)| *at);
        *key = Some((text.clone(), at));
        if let Some(first) = first {
            self.fatal = true;
            let problem = self.notes.error(at, format!("the key `{text}` stands here twice"), "again here");
            problem.also(first, "first here").help("keep one of them, or give them different names");
        }
        if text == "<<" {
            self.refuse_at(at, "a merge key", "write the keys out: a reader must see them where they count");
        }
    }

    fn check(&mut self, range: Range, anchor: usize, tag: Option<&Tag>) {
        if anchor > 0 {
            self.refuse(range, "an anchor", "take it out, and write the value out where it counts");
        }
        if tag.is_some() {
            self.refuse(range, "a tag", "take it out: the type of a value follows from its place");
        }
    }

    fn refuse(&mut self, range: Range, what: &str, help: &str) {
        let at = self.text.span(range);
        self.refuse_at(at, what, help);
    }

    fn refuse_at(&mut self, at: Span, what: &str, help: &str) {
        self.fatal = true;
        self.notes.error(at, format!("this file has no place for {what}"), "").help(help);
    }

    fn nothing(&mut self, at: Span) {
        self.fatal = true;
        let holds = self.notes.holds;
        match self.started {
            Some(marker) => {
                let problem = self.notes.error(marker, "nothing follows this `---`", "");
                problem.help(format!("take it out, or write a {holds} after it"));
            }
            None => drop(self.notes.error(at, "the file is empty", "").help(format!("write a {holds}"))),
        }
    }

    fn too_deep(self, range: Range) -> Option<Vec<Sketch>> {
        let at = self.text.span(range);
        let message = format!("lists and mappings are nested deeper than {DEEPEST}");
        self.notes.error(at, message, "").help("ten levels are enough");
        None
    }

    fn syntax(self, error: &saphyr_parser::ScanError) -> Option<Vec<Sketch>> {
        let at = Range::empty(*error.marker());
        if error.info().contains("recursion") {
            return self.too_deep(at);
        }
        let at = self.text.span(at);
        self.notes.error(at, "this is not YAML", error.info());
        None
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { shape: Shape::Map(_), key: None, .. }))
    }

    fn key_before(&self) -> Option<Span> {
        self.open.last().and_then(|open| open.key.as_ref()).map(|(_, at)| *at)
    }
}

/// The characters of a text, to keep spans within one line.
struct Characters(Vec<char>);

impl Characters {
    /// The span of a range, cut at the end of its first line and without the blanks at its end.
    fn span(&self, range: Range) -> Span {
        let (start, end) = (range.start.index(), range.end.index().min(self.0.len()));
        let covered = self.0.get(start..end).unwrap_or_default();
        let line = covered.split(|c| *c == '\n').next().unwrap_or_default();
        let blanks = line.iter().rev().take_while(|c| c.is_whitespace()).count();
        Span { line: range.start.line(), column: range.start.col() + 1, length: (line.len() - blanks).max(1) }
    }
}
