//! The kernel's own word: what on its console says that something is wrong with it.

mod complaint;
mod fingerprint;

pub(crate) use complaint::complaints;
