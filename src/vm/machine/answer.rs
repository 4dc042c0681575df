//! What another program says, heard in bounded time.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sys::pipe;

/// How long it is waited for at most, where the host is busy or its kernel hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it says on its standard output until it ends or its time is up.
pub(super) fn of(command: &mut Command) -> io::Result<String> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let said = child.stdout.take().map(|output| listen(&output.into())).unwrap_or_default();
    end(&mut child);
    Ok(said)
}

fn listen(output: &OwnedFd) -> String {
    let (mut bytes, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while let Ok(Some(1..)) = pipe::read_before(output, &mut bytes, deadline) {}
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Ends it, if the kernel lets it end: it is not waited for longer.
fn end(child: &mut Child) {
    let deadline = Instant::now() + PATIENCE;
    let _ = child.kill();
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        pipe::pause(Duration::from_millis(2));
    }
}
