//! The nursery: one single-threaded process, forked before the runner's first thread, that makes all sandboxes.
//!
//! It can clone without the care that a process with threads needs; it is the subreaper of all that sandboxes leave behind;
//! and it outlives the runner just long enough to kill and clean up whatever the runner left when it died.

mod client;
mod farewell;
mod kinds;
mod make;
mod orphans;
mod protocol;
mod serve;
mod sharing;

pub use client::{Nursery, NurseryError, Process};
pub use farewell::Farewell;

pub(in crate::sandbox) use orphans::{MARK, NAME, kill_marked, kill_of_run};
pub(in crate::sandbox) use protocol::{HostView, Launch, Part, PreparedRoot, Report, Request, Written};
