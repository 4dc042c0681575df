//! What can go wrong with an image.

use std::path::{Path, PathBuf};

use crate::sys::Failure;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A system call failed.
    #[error(transparent)]
    System(#[from] Failure),
    /// There is no place for the cache.
    #[error("no place for the image cache: set AIRTIGHT_CACHE, XDG_CACHE_HOME or HOME to an absolute path")]
    NoCache,
    /// Nothing has this name.
    #[error("no image named `{name}`{mend}; images here: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// ` (did you mean …?)`, or empty.
        mend: String,
        /// The names that there are, with commas.
        known: String,
    },
    /// A name that an image cannot have.
    #[error("`{name}` cannot name an image: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A recipe is wrong.
    #[error("{path}: {why}")]
    Recipe {
        /// The recipe's file.
        path: String,
        /// What is wrong, with line and column where known, and the mend.
        why: String,
    },
    /// The host lacks a program that a recipe names.
    #[error("the host has no program `{program}`{mend}")]
    Program {
        /// The program's name.
        program: String,
        /// `: install Debian's package …`, or empty.
        mend: String,
    },
    /// A program cannot be taken along.
    #[error("{path} cannot be part of an image: {why}")]
    Unfit {
        /// The program or library.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// An archive or one of its entries is refused.
    #[error("{archive}: {why}")]
    Archive {
        /// The archive.
        archive: String,
        /// Which entry, and why.
        why: String,
    },
    /// The image cannot be made on this machine.
    #[error("image `{name}` cannot be built here: {why}")]
    Unavailable {
        /// The image.
        name: String,
        /// The measured reason.
        why: String,
    },
    /// A program that builds an image failed.
    #[error("{command} {how}; the end of its output:\n{output}")]
    Builder {
        /// The command line.
        command: String,
        /// `exited with 1`, `was stopped after 900 s`.
        how: String,
        /// The end of what it wrote.
        output: String,
    },
}

/// What a function of this room returns.
pub(super) type Result<T> = std::result::Result<T, ImageError>;

/// Turns the [`std::io::Error`] of `call` on `path` into an [`ImageError`].
pub(super) fn io(call: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ImageError {
    move |error| Failure::from_io(call, &[&path], &error).into()
}
