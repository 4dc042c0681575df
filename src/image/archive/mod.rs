//! The `archive` source: a plain root filesystem tar, a `docker save` archive, an OCI layout as a folder or a tar.

mod blobs;
mod build;
mod feed;
mod identify;
mod manifest;

pub(super) use build::build;
pub(super) use feed::feed;
pub(super) use identify::{Identity, identify};
