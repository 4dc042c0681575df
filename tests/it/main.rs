//! The integration tests: one binary, a file per topic.
#![expect(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod agent;
mod attempts;
mod broken_catalogue;
mod broken_on_purpose;
mod claims;
mod downstream;
mod exported_image;
mod facts;
mod hostile;
mod image;
mod judging;
mod language;
mod posture;
mod prove;
mod readme;
mod runs;
mod schema;
mod tables;
mod unharmed;
mod watch;
mod wrong_specs;
