//! Unpacking, in a process of its own that is confined to the target: there is nothing else that it could write to.
//!
//! The parent ([`crate::image::archive`]) starts this program again in a hidden role, sends the archive on standard input, and
//! reads JSON lines from its standard output.

mod confine;
mod decompress;
mod entry;
mod layer;
mod message;
mod metadata;
mod meter;
mod place;
mod role;
mod whiteout;

pub(crate) use decompress::{Compression, decoder};
pub(super) use message::{Done, Line, Order};
pub(crate) use role::{WORD, play};
