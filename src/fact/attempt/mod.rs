//! The attempts: one table, and beside it one small file per family of verbs.
//!
//! An attempt runs in the process itself, never in a child, and undoes what it can; but for experiments, which are about several processes. What fails before the attempted call is
//! reached is `Unobserved`: it says nothing of the call.

mod create;
mod entry;
mod experiment;
mod identity;
mod ipc;
mod key;
mod listen;
mod mount;
mod namespace;
mod nested;
mod open;
mod outcome;
mod own_file;
mod place;
mod probes;
mod process;
mod rights;
mod socket;
mod socket_kind;
mod syscall;
mod table;
mod terminal;

pub use experiment::{Experiment, Takes, experiments};
pub use table::{ATTEMPTS, find_attempt};
