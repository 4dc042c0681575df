//! What a program needs to run: its interpreter and its libraries, found by reading ELF as ld.so(8) does.

mod closure;
mod object;
mod search;

pub use closure::{Closure, Library, closure};
pub(crate) use object::is_elf;
