//! Experiments: what a kernel promises of its namespaces, rights, mounts and cages, tried as a small story of several processes.
//!
//! An experiment is a function in the file of its area, and an entry in that file's table. It runs in a child of the process itself,
//! under a supervisor that lets nothing of it outlive its answer (`crate::sys::offspring`), and makes whatever it needs in namespaces of its own.
//! Its outcome is that of the one call that matters. What must succeed before that (`prepares`), and the control, the same call without the
//! restriction, are no outcome: if they fail, nothing was observed.

mod capability;
mod cgroup;
mod child;
mod entry;
mod filter;
mod ground;
mod ipc;
mod landlock;
mod mount;
mod mount_rights;
mod net;
mod open_in;
mod pid;
mod pid_number;
mod pidfd;
mod proc;
mod risky;
mod seen;
mod table;
mod time;
mod user;
mod user_map;
mod uts;

pub use entry::{Experiment, Takes};

pub(super) use table::EXPERIMENT;
pub use table::experiments;
