//! Commands on the host: they too are made by the nursery, and end with it.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::nursery::{Launch, Nursery, Part, Process, Request};
use super::runtime::StartError;
use super::streams::{Commanded, Streams};

/// Starts a command on the host.
pub fn on_host(
    nursery: &Nursery,
    argv: Vec<String>,
    stdin: &str,
) -> Result<(Process, Commanded), StartError> {
    let streams = Streams::new()?;
    let process = nursery.make(&request(argv), streams.inside())?;
    Ok((process, streams.into_command(stdin)?))
}

/// The same with a file as its standard input.
pub fn on_host_reading(
    nursery: &Nursery,
    argv: Vec<String>,
    input: &File,
) -> Result<(Process, Commanded), StartError> {
    let streams = Streams::new()?;
    let [_, output, errors] = streams.inside();
    let process = nursery.make(&request(argv), [input.as_raw_fd(), output, errors])?;
    Ok((process, streams.into_command("")?))
}

fn request(argv: Vec<String>) -> Request {
    Request::Launch(Launch { argv, root: None, beside: None, poisoned: false, part: Part::Unnamed })
}
