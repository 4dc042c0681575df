//! The integration tests: one binary, a file per topic.

mod agent;
mod image;
mod language;
