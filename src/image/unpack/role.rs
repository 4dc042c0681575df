//! The hidden role: this program, started again to unpack one tar.

use std::ffi::OsStr;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use super::confine::confine;
use super::layer::unpack;
use super::message::{Line, Order};
use crate::image::skeleton;

/// The first argument that asks for it. The second is the [`Order`].
pub(crate) const WORD: &str = "airtight-role-unpack";

/// Plays the role: the tar comes on standard input, the lines go to standard output.
pub(crate) fn play(order: Option<&OsStr>) -> ExitCode {
    let mut lines = BufWriter::new(std::io::stdout().lock());
    let last = match perform(order, &mut lines) {
        Ok(done) => Line::Done(done),
        Err(why) => Line::Refused(why),
    };
    match say(&mut lines, &last).and_then(|()| lines.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn perform(order: Option<&OsStr>, lines: &mut dyn Write) -> Result<super::Done, String> {
    let text = order
        .and_then(OsStr::to_str)
        .ok_or_else(|| "the unpacker was started without an order".to_owned())?;
    let order: Order = serde_json::from_str(text).map_err(|error| error.to_string())?;
    confine(&order.root).map_err(|failure| format!("the unpacker cannot be confined: {failure}"))?;
    // prctl(2): the kernel kills us when the builder dies, so that a killed build leaves no process. Not before confinement:
    // a change of capabilities takes it back. A builder that has died by now has closed the pipe that we read.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(|errno| errno.to_string())?;
    let mut failed = None;
    let mut report = |missing| failed = say(lines, &Line::Missing(missing)).err().or(failed.take());
    let done = unpack(std::io::stdin().lock(), Path::new("/"), &order, &mut report)?;
    skeleton::complete(Path::new("/")).map_err(|error| error.to_string())?;
    failed.map_or(Ok(done), |error| Err(error.to_string()))
}

fn say(lines: &mut dyn Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *lines, line)?;
    lines.write_all(b"\n")
}
