//! The columns of a matrix on a terminal: how wide they are, and what stands above them.

use unicode_width::UnicodeWidthStr;

use super::layout::{padded, style};
use super::table::Mark;

/// The least that is left for the claims' sentences where runtimes have their names above their columns.
const LEAST: usize = 40;

/// The columns: that of the claims, and one for each runtime.
#[derive(Debug)]
pub(super) struct Columns {
    /// How wide the claims' column is.
    pub(super) claim: usize,
    /// What stands above each runtime's.
    pub(super) labels: Vec<String>,
    runtimes: Vec<String>,
}

impl Columns {
    /// For these runtimes, sentences of at most this width, and lines of that width. Where there is no room for names, letters stand for
    /// them.
    pub(super) fn new(runtimes: &[String], sentence: usize, width: usize) -> Self {
        let taken = |labels: &[String]| labels.iter().map(|label| label.width() + 1).sum::<usize>();
        let mut labels = runtimes.to_vec();
        if taken(&labels) + LEAST > width {
            labels = (0..runtimes.len()).map(|place| key(place, runtimes.len())).collect();
        }
        let room = width.saturating_sub(taken(&labels)).max(LEAST / 2);
        Self { claim: (sentence + 1).clamp(LEAST.min(room), room), labels, runtimes: runtimes.to_vec() }
    }

    /// Whether the runtimes' names stand above their columns, and no letters.
    pub(super) fn has_names(&self) -> bool {
        self.labels == self.runtimes
    }

    /// The line above the cells, behind the claims' column.
    pub(super) fn head(&self) -> String {
        format!(" {}", self.labels.join(" "))
    }

    /// A cell, in the middle of its column.
    pub(super) fn cell(&self, place: usize, mark: Option<Mark>) -> String {
        let width = self.labels[place].width() + 1;
        let before = 1 + (width - 2) / 2;
        let Some(mark) = mark else { return " ".repeat(width) };
        let style = style(mark);
        let after = " ".repeat(width - before - 1);
        format!("{}{style}{}{style:#}{after}", " ".repeat(before), mark.symbol())
    }

    /// The runtimes' names, each with the letter that stands for it, if one does.
    pub(super) fn names(&self) -> Vec<String> {
        let longest = self.labels.iter().map(|label| label.width()).max().unwrap_or(0);
        let named = |(label, name): (&String, &String)| {
            if label == name { name.clone() } else { format!("{} {name}", padded(label, longest)) }
        };
        self.labels.iter().zip(&self.runtimes).map(named).collect()
    }
}

/// A letter; a number where there are not enough letters.
fn key(place: usize, of: usize) -> String {
    match u8::try_from(place) {
        Ok(place) if of <= 26 => char::from(b'a' + place).to_string(),
        _ => (place + 1).to_string(),
    }
}
