//! Commands on the host: they too are made by the nursery, and end with it.

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
    let process = nursery.make(
        &Request::Launch(Launch { argv, root: None, beside: None, poisoned: false, part: Part::Unnamed }),
        streams.inside(),
    )?;
    Ok((process, streams.into_command(stdin)?))
}
