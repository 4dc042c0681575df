//! Sandboxes and the runtimes that make them.
//!
//! A [`Runtime`] says what it can express and starts a [`Sandbox`]; that has a first process, which by default is the agent,
//! and a door through which further processes enter. All processes are made by the [`Nursery`].

mod attached;
mod bait;
mod command;
mod host;
mod launcher;
pub mod native;
pub mod nursery;
mod parcel;
mod processes;
pub mod program;
pub mod run_directory;
mod running;
mod runtime;
mod scratch;
mod streams;
mod usable;
mod vouch;

pub use attached::Attached;
pub use command::KnownIssue;
pub use host::{on_host, on_host_reading};
pub use nursery::{Nursery, NurseryError, Process};
pub use parcel::Parcel;
pub use program::find as find_program;
pub use running::{Further, Sandbox};
pub use runtime::{
    Cannot, First, Order, Runtime, StartError, add_runtime, add_users_runtimes, by_name, names, nulls,
    pretenders, remove_agents,
};
pub use scratch::Scratch;
pub use streams::{Captured, Commanded};
pub use usable::tried;
