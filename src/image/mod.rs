//! Images: from a recipe or an archive to a root filesystem in the user's cache.
//!
//! A [`Store`] is asked for a reference and answers with a [`Rootfs`], which it builds at first use. What a recipe may say is
//! in [`Recipe`]; each of its sources is built by a module of its own: `host` (by way of [`elf`]), `archive`, `debian`.
//! Foreign bytes are unpacked in `unpack`, a confined process; foreign programs run under `guard`.

mod archive;
mod debian;
mod delete;
mod digest;
pub mod elf;
mod error;
pub(crate) mod guard;
mod host;
mod recipe;
mod report;
mod run;
mod skeleton;
mod stamp;
mod store;
pub(crate) mod unpack;

pub(crate) use delete::tree as delete_tree;
pub(crate) use digest::hex;
pub use error::ImageError;
pub use recipe::{ArchiveSource, DebianSource, HostSource, Limits, Recipe, Source};
pub use report::{Missing, Report};
pub(crate) use stamp::Stamp;
pub use store::{Listed, Removed, Rootfs, Store, cache_folder};
