//! Images, built for real: each test has a cache of its own.

mod archive;
mod debian;
mod hostile;
mod layout;
mod place;
mod store;
mod tarball;
mod user;
