//! Runtimes that are command lines, each described by a file of the [`catalogue`]: how the agent's program is brought into a root it
//! was not made for, how its process is found from the host, and how further processes enter.

mod ask;
mod bundle;
pub(super) mod catalogue;
mod definition;
mod deletion;
mod door;
mod engine;
mod found;
mod idle;
mod ids;
mod in_vm;
mod known;
mod liar;
mod luggage;
mod manual;
mod null;
mod oci;
mod oci_seccomp;
mod place;
mod planted;
mod presence;
mod report;
mod review;
mod runtime;
mod spell;
mod unprivileged;
mod words;

pub(super) use ask::end_asked;
pub(super) use found::Found;
pub(super) use idle::Idle;
pub use known::KnownIssue;
pub(super) use liar::Liar;
pub(super) use luggage::remove_all as remove_agents;
pub(super) use null::Null;
