//! Kernels as files: what a word or a list means, what is in a package or an image, and which modules go with it.
//!
//! [`find`] is asked for kernels and answers with [`Choice`]s. What a file is, its content says (`format`); what is packed in it is taken out
//! once and kept in a cache, by content.

mod allowed;
mod bzimage;
mod cache;
mod copy;
mod deb;
mod described;
mod error;
mod find;
mod folder;
mod format;
mod image;
mod list;
mod modules;
mod package;
mod release;
mod shelf;
mod unpack;
mod vmlinux;

pub use allowed::AllowedMessage;
pub use described::Kernel;
pub use error::KernelError;
pub use find::{Choice, find};
pub use modules::{Module, Modules};
