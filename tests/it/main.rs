//! The integration tests: one binary, a file per topic.
#![expect(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod image;
