//! The only `unsafe`, the only raw system calls. Everything here says in one sentence why it is done.

mod failure;
pub mod keyring;
pub mod pipe;
pub mod probes;
pub mod raw;
mod signal_names;
pub mod signals;

pub use failure::{Failure, Result, errno_name, errno_named};
pub use signal_names::{ENDINGS, SIGNALS, signal_name, signal_named};
