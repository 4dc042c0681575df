//! The cache of images.
//!
//! ```text
//! images/
//!   store/DIGEST/rootfs/     an image; DIGEST/image.json says what it is
//!   memo/KEY.json            what a recipe led to last time, with the stamps that tell whether it still does
//!   names/NAME.json          what `airtight image import` named
//!   building/ID/             an image in the making, while building/ID.lock is held
//!   locks/KEY                held by whoever builds for this key
//! ```

mod cache;
mod image;
mod list;
mod memo;
mod names;
mod reference;
mod work;
mod workshop;

pub use cache::{Rootfs, Store, cache_folder};
pub use list::{Listed, Removed};
pub(super) use names::check_name;
