//! QEMU's own control (QMP, docs/interop/qmp-spec.rst), as far as it is needed: one JSON object a line.

use std::os::fd::OwnedFd;
use std::time::Instant;

use serde_json::{Value, json};

use crate::sys::pipe;

/// The longest answer that is waited for.
const CAP: usize = 1 << 20;

/// A connection.
#[derive(Debug)]
pub(super) struct Qmp {
    socket: OwnedFd,
    bytes: Vec<u8>,
}

impl Qmp {
    /// Takes the greeting, and asks for commands to be taken.
    pub(super) fn new(socket: OwnedFd, deadline: Instant) -> Result<Self, String> {
        let mut control = Self { socket, bytes: Vec::new() };
        control.line(deadline)?;
        control.command("qmp_capabilities", &json!({}), deadline)?;
        Ok(control)
    }

    /// What comes of a command. Events that are told meanwhile are passed over.
    pub(super) fn command(
        &mut self,
        name: &str,
        arguments: &Value,
        deadline: Instant,
    ) -> Result<Value, String> {
        let text = format!("{}\n", json!({ "execute": name, "arguments": arguments }));
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written =
                pipe::write_before(&self.socket, rest, deadline).map_err(|failure| failure.to_string())?;
            rest = &rest[written.ok_or_else(|| late(name))?..];
        }
        loop {
            let mut line = self.line(deadline)?;
            if let Some(error) = line.get("error") {
                return Err(format!("QEMU's {name}: {}", error["desc"].as_str().unwrap_or("it failed")));
            }
            if let Some(answer) = line.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<Value, String> {
        loop {
            // One that talks without end is never waited for.
            if Instant::now() >= deadline {
                return Err(late("control"));
            }
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|error| format!("QEMU's control: {error}"));
            }
            let read = pipe::read_before(&self.socket, &mut self.bytes, deadline);
            match read.map_err(|failure| failure.to_string())? {
                None => return Err(late("control")),
                Some(0) => return Err("QEMU has closed its control".to_owned()),
                Some(_) if self.bytes.len() > CAP => {
                    return Err("QEMU's control never ends a line".to_owned());
                }
                Some(_) => {}
            }
        }
    }
}

fn late(what: &str) -> String {
    format!("QEMU did not answer in time: {what}")
}
