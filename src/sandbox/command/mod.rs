//! Runtimes that are command lines, each described by a file of the [`catalogue`]: how the agent's program is brought into a root it
//! was not made for, how its process is found from the host, and how further processes enter.

mod bundle;
pub(super) mod catalogue;
mod definition;
mod door;
mod found;
mod idle;
mod liar;
mod manual;
mod null;
mod oci;
mod runtime;
mod spell;
mod words;

pub(super) use found::Found;
pub(super) use idle::Idle;
pub(super) use liar::Liar;
pub(super) use null::Null;
