//! The integration tests: one binary, a file per topic.

mod agent;
mod language;
mod schema;
mod tables;
mod wrong_specs;
