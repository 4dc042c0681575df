//! The only `unsafe`, the only raw system calls. Everything here says in one sentence why it is done.

pub mod calls;
mod capability;
mod clone;
pub mod entries;
pub mod environment;
mod failure;
pub mod filter;
mod fork;
pub mod ipc;
pub mod keyring;
pub mod kvm;
pub mod landlock;
pub mod machine;
mod mount;
mod nested;
mod network;
pub mod offspring;
pub mod pipe;
pub mod probes;
mod process;
mod random;
pub mod raw;
pub mod rights;
mod settled;
mod signal_names;
pub mod signals;
mod socket;
pub mod terminal;

pub use capability::{CAPABILITIES, capability_number, may_give};
pub use clone::{Child, Cloned, clone3, fork};
pub use failure::{Failure, Result, errno_name, errno_named};
pub use fork::fork_and_wait;
pub use mount::{attach, clone_tree, map_ids, restrict_tree};
pub use nested::{Nested, mount_nested};
pub use network::bring_loopback_up;
pub use process::{
    default_signals, die_with_parent, exit_now, ignore, keep_only, lay_out, mount_apart, or_exit,
    take_streams, unblock_signals,
};
pub use random::random_word;
pub use settled::settled;
pub use signal_names::{ENDINGS, SIGNALS, signal_name, signal_named};
pub use socket::{Packet, receive, send, socket_pair};
pub use terminal::{control, leave_session, new_terminal};
