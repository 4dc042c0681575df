//! The integration tests: one binary, a file per topic.

mod agent;
mod judging;
mod language;
mod schema;
mod tables;
mod wrong_specs;
