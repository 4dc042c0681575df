//! Reports that are files: `--report FORMAT=FILE`. A form is a file here or beside, and an entry of [`FORMS`].

mod form;
mod json;
mod place;
mod writer;

pub use form::{FORMS, Form};
pub use place::{Place, PlaceError};
pub use writer::Files;
