//! A VM that waits for a debugger (QEMU's gdbstub, docs/system/gdb.rst).

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::qmp::Qmp;
use crate::sys::pipe;

/// The stub's socket, in the VM's folder.
const SOCKET: &str = "gdb";

/// How often is looked whether the debugger has let the VM go on.
const LOOK: Duration = Duration::from_millis(50);

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The words by which QEMU has a stub, and starts no CPU.
pub(super) fn argv(folder: &Path) -> Vec<String> {
    let socket = super::command::escaped(&folder.join(SOCKET));
    ["-gdb".to_owned(), format!("unix:{socket},server=on,wait=off"), "-S".to_owned()].to_vec()
}

/// Says how gdb is started, and waits until it has let the VM go on: for a person, and so as long as it takes.
pub(super) fn await_debugger(
    control: &mut Qmp,
    folder: &Path,
    name: &str,
    kernel: &Path,
) -> Result<(), String> {
    let socket = folder.join(SOCKET);
    anstream::eprintln!(
        "{name} waits for gdb, and for its `continue`:\n  gdb '{}' -ex 'target remote {}'",
        kernel.display(),
        socket.display()
    );
    loop {
        let state = control.command("query-status", &json!({}), Instant::now() + PATIENCE)?;
        match state["status"].as_str() {
            Some("running") => return Ok(()),
            Some("prelaunch" | "paused" | "debug") => pipe::pause(LOOK),
            other => return Err(format!("the VM that waits for gdb is {}", other.unwrap_or("in no state"))),
        }
    }
}
