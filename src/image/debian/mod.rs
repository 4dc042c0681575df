//! The `debian` source: a suite made by mmdebstrap, or by debootstrap where that is missing.

mod build;
mod mirror;
mod tool;

pub(super) use build::{available, build};
