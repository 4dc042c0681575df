//! `for_each` and `${name}`: rows of typed values, and their place in a document that is already parsed.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::expect::Span;

use super::problem::Notes;
use super::suggest::did_you_mean;
use super::tree::{Data, Entry, Node, kind_of};

/// More rows than this are a mistake: each is a test of its own.
const MOST: usize = 1000;

/// The values of one row by name.
pub(super) type Values = IndexMap<String, Node>;

/// The rows of a `for_each`; a single empty one where there is none.
pub(super) fn rows(of: Option<&Entry>, notes: &mut Notes) -> Vec<Values> {
    let Some(entry) = of else { return vec![Values::new()] };
    let rows = match &entry.value.data {
        Data::Map(grid) if !grid.is_empty() => product(grid, notes),
        Data::List(rows) if !rows.is_empty() => listed(rows, notes),
        Data::Wrong => Vec::new(),
        _ => {
            let found = match &entry.value.data {
                Data::Map(_) | Data::List(_) => "there are none".to_owned(),
                _ => format!("found {}", kind_of(&entry.value)),
            };
            let problem = notes.error(entry.at, "`for_each` needs rows", found);
            problem.help("write a grid, `{ signal: [SIGTERM, SIGKILL] }`, or a list of mappings");
            Vec::new()
        }
    };
    if rows.len() > MOST {
        notes
            .error(entry.at, format!("`for_each` makes more than {MOST} rows"), "")
            .help("split the scenario");
        return Vec::new();
    }
    refuse_equal(&rows, entry, notes);
    rows
}

/// A row as a test's name shows it: `signal=SIGTERM, image=base`. A name stands on one line: what would break it is escaped.
pub(super) fn label(values: &Values) -> String {
    let show = |node: &Node| node.text().map_or_else(|| node.to_json().to_string(), on_one_line);
    values.iter().map(|(name, node)| format!("{name}={}", show(node))).collect::<Vec<_>>().join(", ")
}

fn on_one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

fn refuse_equal(rows: &[Values], entry: &Entry, notes: &mut Notes) {
    let mut labels = BTreeSet::new();
    for label in rows.iter().map(label) {
        if labels.contains(&label) {
            let problem = notes.error(entry.at, format!("two rows are the same: `{label}`"), "");
            problem.help("each row is a test of its own: take one of them out");
        }
        labels.insert(label);
    }
}

fn product(grid: &[Entry], notes: &mut Notes) -> Vec<Values> {
    let mut rows = vec![Values::new()];
    for Entry { key, at, value } in grid {
        let Data::List(column) = &value.data else {
            if !value.is_wrong() {
                let problem = notes.error(value.at, format!("`{key}` needs a list of values"), "");
                problem.help(format!("write `{key}: [{}, …]`", label_of(value)));
            }
            return Vec::new();
        };
        if column.is_empty() {
            notes
                .error(*at, format!("`{key}` has no values"), "")
                .help("an empty list makes no rows, and checks nothing");
        }
        let cells = |row: &Values| {
            let row = row.clone();
            column.iter().map(move |cell| {
                let mut row = row.clone();
                row.insert(key.clone(), cell.clone());
                row
            })
        };
        rows = rows.iter().flat_map(cells).take(MOST + 1).collect();
    }
    rows
}

fn listed(list: &[Node], notes: &mut Notes) -> Vec<Values> {
    let mut rows: Vec<Values> = Vec::new();
    for node in list {
        if node.entries().is_empty() {
            let problem = notes.error(node.at, "a row must be a mapping", format!("found {}", kind_of(node)));
            problem.help("write `- { signal: SIGTERM, image: base }`");
            continue;
        }
        let row: Values =
            node.entries().iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        let names = |row: &Values| row.keys().cloned().collect::<BTreeSet<_>>();
        if let Some(first) = rows.first().filter(|first| names(first) != names(&row)) {
            let expected: Vec<_> = first.keys().map(|name| format!("`{name}`")).collect();
            let problem = notes.error(node.at, "the rows have different keys", "");
            problem.help(format!("give every row the keys {}", expected.join(", ")));
        }
        rows.push(row);
    }
    rows
}

fn label_of(node: &Node) -> String {
    node.to_json().to_string()
}

/// The variables that are known at a place, and which of them were used.
#[derive(Debug, Default)]
pub(super) struct Variables {
    values: Values,
    used: BTreeSet<String>,
}

impl Variables {
    pub(super) fn new(values: Values) -> Self {
        Self { values, used: BTreeSet::new() }
    }

    /// The names that were used.
    pub(super) const fn used(&self) -> &BTreeSet<String> {
        &self.used
    }

    /// The node with every `${name}` in its place. A value keeps the place of the `${name}` that it stands for.
    pub(super) fn substitute(&mut self, node: &Node, notes: &mut Notes) -> Node {
        if !notes.may_make(node.at) {
            return Node { at: node.at, data: Data::Wrong };
        }
        let data = match &node.data {
            Data::List(items) => Data::List(items.iter().map(|node| self.substitute(node, notes)).collect()),
            Data::Map(entries) => Data::Map(entries.iter().map(|entry| self.entry(entry, notes)).collect()),
            Data::Scalar(serde_json::Value::String(text)) => self.value(text, node.at, notes),
            other => other.clone(),
        };
        Node { at: node.at, data }
    }

    fn entry(&mut self, entry: &Entry, notes: &mut Notes) -> Entry {
        let key = self.key(&entry.key, entry.at, notes);
        Entry { key, at: entry.at, value: self.substitute(&entry.value, notes) }
    }

    fn value(&mut self, text: &str, at: Span, notes: &mut Notes) -> Data {
        let Some(name) = whole(text) else {
            self.refuse_parts(text, at, notes);
            return Data::Scalar(text.into());
        };
        self.take(name, at, notes).map_or(Data::Wrong, |value| placed(&value, at).data)
    }

    /// A key's segments between `/` or `.` may each be a variable.
    fn key(&mut self, key: &str, at: Span, notes: &mut Notes) -> String {
        if !key.contains("${") {
            return key.to_owned();
        }
        let mut result = String::new();
        for part in key.split_inclusive(['/', '.']) {
            let (segment, end) = part.split_at(part.trim_end_matches(['/', '.']).len());
            match whole(segment).map(|name| (name, self.take(name, at, notes))) {
                Some((_, Some(value))) => result.push_str(&segment_of(&value, at, notes)),
                Some((name, None)) => result.push_str(name),
                None => {
                    self.refuse_parts(segment, at, notes);
                    result.push_str(segment);
                }
            }
            result.push_str(end);
        }
        result
    }

    fn take(&mut self, name: &str, at: Span, notes: &mut Notes) -> Option<Node> {
        if let Some(value) = self.values.get(name) {
            self.used.insert(name.to_owned());
            return Some(value.clone());
        }
        let problem = notes.error(at, format!("unknown variable `${{{name}}}`"), "");
        let known = self.values.keys().map(String::as_str);
        problem.help(did_you_mean(name, known).unwrap_or_else(|| "give it a value in `for_each`".to_owned()));
        None
    }

    /// A known variable within a longer text is not substituted, and whoever wrote it thinks that it is.
    fn refuse_parts(&mut self, text: &str, at: Span, notes: &mut Notes) {
        let inside = self.values.keys().find(|name| text.contains(&format!("${{{name}}}"))).cloned();
        if let Some(name) = inside {
            let problem = notes.error(at, format!("`${{{name}}}` stands only for a whole value"), "");
            problem.help(format!(
                "give the whole text a name in `for_each`; a command takes a list: `[echo, \"${{{name}}}\"]`"
            ));
            self.used.insert(name);
        }
    }
}

/// The names of a `for_each` that no row's text uses.
pub(super) fn unused(of: Option<&Entry>, used: &BTreeSet<String>, notes: &mut Notes) {
    let Some(entry) = of else { return };
    let first = match &entry.value.data {
        Data::List(rows) => rows.first().map(Node::entries).unwrap_or_default(),
        _ => entry.value.entries(),
    };
    for Entry { key, at, .. } in first.iter().filter(|entry| !used.contains(&entry.key)) {
        let problem = notes.error(*at, format!("the variable `{key}` is never used"), "");
        problem.help(format!("write `${{{key}}}` where its value belongs, or take it out"));
    }
}

/// The name, if the text is one variable and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['$', '{', '}'])).then_some(name)
}

fn segment_of(value: &Node, at: Span, notes: &mut Notes) -> String {
    match &value.data {
        Data::Scalar(serde_json::Value::String(text)) => text.clone(),
        Data::Scalar(scalar) => scalar.to_string(),
        _ => {
            notes
                .error(at, "a list or a mapping cannot stand in a key", "")
                .help("give the variable a single value");
            String::new()
        }
    }
}

fn placed(node: &Node, at: Span) -> Node {
    let data = match &node.data {
        Data::List(items) => Data::List(items.iter().map(|node| placed(node, at)).collect()),
        Data::Map(entries) => Data::Map(
            entries
                .iter()
                .map(|entry| Entry { key: entry.key.clone(), at, value: placed(&entry.value, at) })
                .collect(),
        ),
        other => other.clone(),
    };
    Node { at, data }
}
