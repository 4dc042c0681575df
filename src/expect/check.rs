//! What comes of holding an expectation against a value.

use crate::fact::{Unobserved, Value, View};

use super::expectation::Span;

/// What comes of holding an expectation against a value. The logic is three-valued: what could not be observed is neither
/// true nor false, and `not` leaves it so.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// It holds.
    Holds,
    /// It does not, for these reasons.
    Fails(Vec<Miss>),
    /// Something that it needs was not observed.
    Broken(Vec<Miss>),
    /// It says nothing here, for this reason.
    NotMeasured(String),
}

/// One reason why an expectation does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// Where the expectation stands.
    pub at: Span,
    /// The fields from the fact's value down to the value that was judged.
    pub path: Vec<String>,
    /// The text for the frame: `expected 1, observed 48211`.
    pub label: String,
    /// What was expected, in words.
    pub expected: String,
    /// What was observed; `None` if nothing was.
    pub actual: Option<Value>,
    /// For a list: what is missing from it.
    pub missing: Vec<Value>,
    /// For a list: what is in it besides.
    pub extra: Vec<Value>,
    /// For a text of several lines: expected and observed as a diff.
    pub diff: Option<String>,
    /// The reasons that it stands for, where it stands for several; the diff has them all.
    pub several: Vec<Miss>,
}

/// What an evaluation may look at besides the value itself.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Who observed the value; `None` for what a command gave.
    pub view: Option<&'a View>,
    /// The value of the same fact from another viewpoint, or why there is none.
    pub other: &'a dyn Fn(&View) -> Result<Value, Unobserved>,
    /// The fields from the fact's value down to the value that is judged.
    pub path: &'a [&'a str],
    /// The fields that are named beside the matcher that judges: all but these are its `others`.
    pub named: &'a [&'a str],
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Scene")
            .field("view", &self.view)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Scene<'_> {
    /// The same field of the same fact from another viewpoint.
    pub(crate) fn same_field(&self, view: &View) -> Result<Value, Unobserved> {
        let mut value = &(self.other)(view)?;
        for name in self.path {
            value =
                value.get(name).ok_or_else(|| Unobserved::because(format!("there is no `{name}` in it")))?;
        }
        Ok(value.clone())
    }
}

impl Check {
    /// It holds, or it fails for this reason.
    pub(crate) fn from(holds: bool, miss: impl FnOnce() -> Miss) -> Self {
        if holds { Self::Holds } else { Self::Fails(vec![miss()]) }
    }

    /// All of these hold: one failure is a failure, whatever could not be observed besides.
    pub(crate) fn all(checks: impl IntoIterator<Item = Self>) -> Self {
        let (mut fails, mut broken, mut unmeasured) = (Vec::new(), Vec::new(), None);
        for check in checks {
            match check {
                Self::Holds => {}
                Self::Fails(misses) => fails.extend(misses),
                Self::Broken(misses) => broken.extend(misses),
                Self::NotMeasured(reason) => unmeasured = unmeasured.or(Some(reason)),
            }
        }
        if !fails.is_empty() {
            Self::Fails(fails)
        } else if !broken.is_empty() {
            Self::Broken(broken)
        } else {
            unmeasured.map_or(Self::Holds, Self::NotMeasured)
        }
    }

    /// At least one of these holds; `none` says so where none does.
    pub(crate) fn any(checks: impl IntoIterator<Item = Self>, none: impl FnOnce() -> Miss) -> Self {
        let (mut broken, mut unmeasured) = (Vec::new(), None);
        for check in checks {
            match check {
                Self::Holds => return Self::Holds,
                Self::Fails(_) => {}
                Self::Broken(misses) => broken.extend(misses),
                Self::NotMeasured(reason) => unmeasured = unmeasured.or(Some(reason)),
            }
        }
        if !broken.is_empty() {
            return Self::Broken(broken);
        }
        unmeasured.map_or_else(|| Self::Fails(vec![none()]), Self::NotMeasured)
    }

    /// The same, of a field of this name.
    pub(crate) fn within(mut self, name: &str) -> Self {
        if let Self::Fails(misses) | Self::Broken(misses) = &mut self {
            for miss in misses {
                miss.path.insert(0, name.to_owned());
            }
        }
        self
    }

    /// The same, with this many reasons at most; the last one says how many more there are.
    pub(crate) fn at_most(mut self, count: usize) -> Self {
        if let Self::Fails(misses) | Self::Broken(misses) = &mut self {
            let more = misses.len().saturating_sub(count);
            misses.truncate(count);
            if let Some(last) = misses.last_mut().filter(|_| more > 0) {
                last.label = format!("{}; and {more} more", last.label);
            }
        }
        self
    }

    /// The opposite; `miss` says so where the original holds.
    pub(crate) fn negate(self, miss: impl FnOnce() -> Miss) -> Self {
        match self {
            Self::Holds => Self::Fails(vec![miss()]),
            Self::Fails(_) => Self::Holds,
            other => other,
        }
    }
}

impl Miss {
    /// The common reason: this was expected and that was observed.
    pub(crate) fn new(at: Span, expected: String, actual: &Value) -> Self {
        let label = format!("expected {expected}, observed {}", super::describe::show(actual));
        Self { label, ..Self::bare(at, expected, Some(actual)) }
    }

    /// With a label of its own.
    pub(crate) fn labelled(at: Span, label: String, expected: String, actual: Option<&Value>) -> Self {
        Self { label, ..Self::bare(at, expected, actual) }
    }

    fn bare(at: Span, expected: String, actual: Option<&Value>) -> Self {
        Self {
            at,
            path: Vec::new(),
            label: String::new(),
            expected,
            actual: actual.cloned(),
            missing: Vec::new(),
            extra: Vec::new(),
            diff: None,
            several: Vec::new(),
        }
    }
}
