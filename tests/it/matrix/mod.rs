//! Several runtimes side by side: on the terminal, as files, as a page in a browser, and where two differ.

mod diff;
mod files;
mod page;
mod parts;
mod place;
mod terminal;
