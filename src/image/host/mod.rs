//! The `host` source: an image of the host's own programs with the libraries they need.

mod build;
mod files;
mod find;

pub(super) use build::build;
pub(super) use find::{Plan, available, directories, plan};
