//! The integration tests: one binary, a file per topic.
#![expect(clippy::unwrap_used, reason = "a test ends with the first thing that is not as it should be")]

mod agent;
mod image;
mod language;
mod attempts;
mod facts;
mod wrong_specs;
