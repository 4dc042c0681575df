//! The integration tests: one binary, a file per topic.
#![expect(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod agent;
mod attempts;
mod browser;
mod claims;
mod clock;
mod defects;
mod downstream;
mod drivers;
mod drivers_at_once;
mod exported_image;
mod facts;
mod faults;
mod hostile;
mod image;
mod judging;
mod language;
mod liar;
mod matrix;
mod pids;
mod posture;
mod prove;
mod readme;
mod runs;
mod schema;
mod settings;
mod sharing;
mod tables;
mod trust;
mod unharmed;
mod watch;
mod wrong_runtimes;
mod wrong_specs;
