//! The initramfs: what a VM has to begin with, and the whole of what it has.

mod archive;
mod closure;
mod pieces;
mod segments;

pub(super) use pieces::{Content, Piece, pieces};
pub(super) use segments::{Contents, write};
