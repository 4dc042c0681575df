//! A run as one page for a browser: `--report html=FILE`. A table that stands by itself, and a script that filters it and opens its cells.
//!
//! Nothing in the page comes from elsewhere, and its Content-Security-Policy lets nothing be fetched: only this style and this script run, by
//! their digests. What sandboxes have said stands in it as text only.

mod data;
mod escape;
mod page;
mod table;

pub(super) use page::page;
