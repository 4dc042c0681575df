//! A sandbox broken on purpose whose root is in a peer group with a mount of the host's: the host's side of that.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::sandbox::native::{Blueprint, Defect};
use crate::sandbox::run_directory::{RunDirectory, take_down};
use crate::sys::{self, Child, Cloned, Failure, Result};

/// The host's member of the peer group; dropping it unmounts it.
#[derive(Debug)]
pub(super) struct Peer(PathBuf);

impl Drop for Peer {
    fn drop(&mut self) {
        take_down(&self.0);
    }
}

/// Starts a helper that mounts what the new process sends on its line, if its blueprint says that it will. It is no work for the nursery
/// itself, which does not wait for a sandbox.
pub(super) fn offer(
    blueprint: &Blueprint,
    run: &RunDirectory,
    child: &Child,
    line: &OwnedFd,
) -> Result<Option<Peer>> {
    if !blueprint.has(&Defect::SharedPropagation) {
        return Ok(None);
    }
    let place = run.peer(child.pid);
    fs::create_dir(&place).map_err(|error| Failure::from_io("mkdir", &[&place], &error))?;
    let peer = Peer(place);
    match sys::fork(false)? {
        Cloned::Child => help(line, &peer),
        Cloned::Parent(_) => Ok(Some(peer)),
    }
}

/// Nothing of the nursery's but the line: it must end when the new process does.
fn help(line: &OwnedFd, Peer(place): &Peer) -> ! {
    let alone = prctl::set_pdeathsig(Signal::SIGKILL).is_ok();
    let Ok(fds) = sys::lay_out(&[line.as_raw_fd(); 4]) else { sys::exit_now(125) };
    if let (true, [line]) = (alone, fds.as_slice())
        && let Ok(Some(mut packet)) = sys::receive(line.as_fd())
        && let Some(tree) = packet.fds.pop()
    {
        let attached = sys::attach(tree.as_fd(), place);
        let said = serde_json::to_vec(&attached).unwrap_or_default();
        // If it has ended meanwhile there is nobody to tell.
        let _ = sys::send(line.as_fd(), &said, &[]);
    }
    sys::exit_now(0)
}
