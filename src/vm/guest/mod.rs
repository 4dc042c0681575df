//! What runs in the VM: its first process, and the engine that it starts.

mod cgroups;
mod core;
mod engine;
mod flag;
mod init;
mod inside;
mod modules;
mod root;
mod serial;
mod shell;
mod supervise;
mod users;
mod visitor;
mod warm;

pub(crate) use core::{ROLE as CORE, run as run_core};
pub(crate) use engine::{ROLE as ENGINE, run as run_engine};
pub use flag::is_guest;
pub(crate) use init::{ROLE as INIT, run as run_init};
pub(crate) use inside::{ROLE as INSIDE, brought_images, run as run_inside};
pub(crate) use visitor::{ROLE as VISITOR, run as run_visitor};
