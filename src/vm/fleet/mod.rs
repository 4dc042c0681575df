//! Kernels at work: each booted once, saved, and restored for every scenario.

mod complaints;
mod cores;
mod errand;
mod keep;
mod kernels;
#[cfg(test)]
mod lies;
mod pool;
mod readied;
mod shell;
mod snapshot;
mod sortie;
mod sparse;
mod talk;
mod watch;

pub(crate) use keep::quoted;
pub(crate) use kernels::{Fleet, Isolation};
pub(crate) use shell::{Left, Visitor};
pub(crate) use snapshot::remove_all as remove_snapshots;
pub(crate) use sortie::beside;
pub(crate) use watch::Watch;
