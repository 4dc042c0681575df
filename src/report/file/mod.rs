//! Reports that are files: `--report FORMAT=FILE`. A form is a file here or beside, and an entry of [`FORMS`].

mod form;
mod github;
mod json;
mod jsonl;
mod junit;
mod ktap;
mod markdown;
mod place;
mod read;
#[cfg(test)]
mod sample;
mod sarif;
mod tap;
mod writer;

pub use form::{FORMS, Form, help};
pub use place::{Place, PlaceError};
pub use read::{ReadError, read};
pub use writer::{Files, write_all as write};
