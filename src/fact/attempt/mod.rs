//! The attempts: one table, and beside it one small file per family of verbs.
//!
//! An attempt runs in the process itself, never in a child, and undoes what it can. What fails before the attempted call is
//! reached is `Unobserved`: it says nothing of the call.

mod create;
mod ipc;
mod mount;
mod namespace;
mod open;
mod outcome;
mod place;
mod probes;
mod process;
mod socket;
mod syscall;
mod table;

pub use table::{ATTEMPTS, find_attempt};
