//! What is to be done where a sandbox ends, besides the end of the process that ran it.

use std::time::Duration;

use super::ask::ask;
use super::definition::Definition;
use super::engine;
use super::words::{Values, fill};
use crate::sandbox::runtime::Cannot;

/// The command lines that end a sandbox, and remove what a daemon keeps of it.
#[derive(Debug, Default)]
pub(super) struct Deletion {
    container: Option<Vec<String>>,
    /// An image that is of no use without the container.
    image: Option<Vec<String>>,
    removes_itself: bool,
    patience: Duration,
}

impl Deletion {
    /// Of the sandbox that these values are of.
    pub(super) fn of(definition: &Definition, values: &Values) -> Result<Self, Cannot> {
        Ok(Self {
            container: definition.delete.as_ref().map(|words| fill(words, values)).transpose()?,
            image: engine::removal(definition, values)?,
            removes_itself: removes_itself(definition, values),
            patience: definition.patience(),
        })
    }

    /// Whether it can be done while the sandbox is ended: it need not be known how that went.
    pub(super) fn is_apart(&self) -> bool {
        self.container.is_some() && !self.removes_itself
    }

    /// Does what is left to do, of which little is where the runtime has ended by itself. What fails is swept at the end of the run, or by the
    /// next one.
    pub(super) fn perform(&self, by_itself: bool) {
        let container = self.container.as_ref().filter(|_| !(by_itself && self.removes_itself));
        for argv in container.into_iter().chain(&self.image) {
            let _ = ask(argv, None, self.patience);
        }
    }
}

/// Whether the runtime does so by itself, or was told to.
fn removes_itself(definition: &Definition, values: &Values) -> bool {
    let words = definition.removes_itself.as_ref();
    words.is_some_and(|words| words.is_empty() || !values.words("removes_itself").is_empty())
}
