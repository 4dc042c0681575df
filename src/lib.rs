//! airtight verifies the isolation of Linux sandboxes: YAML specs say what must hold, a runner makes the sandboxes, observes
//! them from both sides, and says of each claim whether it held.
//!
//! The way of a claim: [`spec`] (text as written) → [`plan`] (what can be run) → [`sandbox`] (a runtime makes it) →
//! observations ([`fact`], asked through [`agent`]) → [`judge`] (a pure function) → [`report`]. [`engine`] drives that way;
//! [`prove`] drives it again and again, in sandboxes broken on purpose, to show that each claim can fail.

pub mod agent;
pub mod cli;
pub mod engine;
pub mod expect;
pub mod fact;
pub mod harness;
pub mod image;
pub mod judge;
pub mod plan;
pub mod probe;
pub mod prove;
pub mod report;
pub mod role;
pub mod sandbox;
pub mod spec;
pub mod sys;
pub mod vm;
