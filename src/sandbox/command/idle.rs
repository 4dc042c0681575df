//! Null runtimes that do nothing: whatever they are asked to start is a program that ends at once, and says nothing.

use crate::sandbox::native::Role;
use crate::sandbox::nursery::{Launch, Nursery, NurseryError, Part, Process, Request};
use crate::sandbox::running::{Door, Sandbox};
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::Streams;
use crate::spec::Settings;
use crate::sys::random_word;

/// No sandbox, no agent and no command, but always the same exit status. A claim that passes here takes silence for an answer.
#[derive(Debug)]
pub(in crate::sandbox) struct Idle {
    name: &'static str,
    program: &'static str,
}

impl Idle {
    /// What it starts exits with 0.
    pub(in crate::sandbox) const SUCCEEDS: Self = Self { name: "exit-0", program: "true" };
    /// What it starts exits with 1.
    pub(in crate::sandbox) const FAILS: Self = Self { name: "exit-1", program: "false" };
}

impl Runtime for Idle {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "Nothing: what it starts ends at once."
    }

    fn check(&self, _: &Settings) -> Result<(), Cannot> {
        Ok(())
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        let streams = Streams::new()?;
        let first = launch(nursery, self.program, streams.inside())?;
        let door = Box::new(IdleDoor { program: self.program });
        match order.first {
            First::Command { stdin, .. } => {
                Ok(Sandbox::with_command(first, streams.into_command(stdin)?, door))
            }
            First::Agent => {
                let (channel, stderr) = streams.into_channel(random_word()?)?;
                let channel = channel.vouched_by(Box::new(first.known()?));
                Ok(Sandbox::with_agent(first, None, channel, stderr, door))
            }
        }
    }
}

fn launch(nursery: &Nursery, program: &str, streams: [i32; 3]) -> Result<Process, NurseryError> {
    nursery.make(
        &Request::Launch(Launch {
            argv: vec![program.to_owned()],
            root: None,
            beside: None,
            poisoned: false,
            part: Part::Unnamed,
        }),
        streams,
    )
}

/// Further processes do as little.
#[derive(Debug)]
struct IdleDoor {
    program: &'static str,
}

impl Door for IdleDoor {
    fn enter(&self, nursery: &Nursery, _: &Role, streams: [i32; 3]) -> Result<Process, NurseryError> {
        launch(nursery, self.program, streams)
    }
}
