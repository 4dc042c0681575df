//! Runtimes that are command lines: how the agent's program is brought into a root it was not made for, how its process is
//! found from the host, and how further processes enter.

mod bundle;
mod found;
mod idle;
mod liar;
mod null;
mod unshare;

pub(super) use found::Found;
pub(super) use idle::Idle;
pub(super) use liar::Liar;
pub(super) use null::Null;
pub(super) use unshare::Unshare;
