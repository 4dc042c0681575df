//! `airtight clean`

use super::Exit;
use crate::sandbox;
use crate::vm::fleet::remove_snapshots;

/// Does it.
pub(super) fn run() -> Exit {
    let mut exit = Exit::Held;
    for runtime in sandbox::names().into_iter().filter_map(|name| sandbox::by_name(&name)) {
        match runtime.clean() {
            Ok(removed) => {
                for what in removed {
                    anstream::println!("{}: removed {what}", runtime.name());
                }
            }
            Err(error) => exit = Exit::Broken.telling(&format!("{}: {error}", runtime.name())),
        }
    }
    match remove_snapshots() {
        Ok(0) => {}
        Ok(many) => anstream::println!("kernels: removed {many} saved VMs"),
        Err(error) => exit = Exit::Broken.telling(&format!("saved VMs: {error}")),
    }
    match sandbox::remove_agents() {
        Ok(()) => exit,
        Err(error) => Exit::Broken.telling(&format!("copies of the agent: {error}")),
    }
}
