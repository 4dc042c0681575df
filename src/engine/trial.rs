//! Tests in sandboxes that are made otherwise than their specs say.

use std::time::Duration;

use crate::plan::Group;
use crate::sandbox::Runtime;
use crate::sandbox::native::Breakage;

/// How sandboxes are made; by default as the specs say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Making<'a> {
    /// By this runtime, and not by the test's own.
    pub runtime: Option<&'static dyn Runtime>,
    /// Broken so.
    pub breakage: Option<&'a Breakage>,
    /// The longest that a claim may take besides what its steps wait for, whatever its own time limit.
    pub longest: Option<Duration>,
    /// Whether nobody will ask why a claim failed, so that no evidence need be gathered.
    pub terse: bool,
}

impl Making<'_> {
    /// Whether sandboxes are made as the specs say.
    pub(super) const fn is_as_specified(&self) -> bool {
        self.runtime.is_none() && self.breakage.is_none()
    }
}

/// A group of tests whose sandboxes are made in one way.
#[derive(Debug, Clone)]
pub struct Trial<'a> {
    /// A number of the caller's, by which trials that belong together are told apart from others.
    pub way: usize,
    /// The tests.
    pub group: Group,
    /// How their sandboxes are made.
    pub making: Making<'a>,
}
