//! The null runtime: no isolation at all. What passes here checks nothing.

use super::found::{self, Sought};
use crate::agent::ROLE;
use crate::sandbox::native::Role;
use crate::sandbox::nursery::{Launch, Nursery, NurseryError, Part, Process, Request};
use crate::sandbox::running::{Door, Sandbox};
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::{Streams, drain};
use crate::spec::{Launcher, Settings};
use crate::sys::random_word;

/// No sandbox: the agent and the commands run on the host. It accepts every setting and keeps none, since that is what it
/// stands for; it is never used unless it is named.
#[derive(Debug)]
pub(in crate::sandbox) struct Null;

impl Runtime for Null {
    fn name(&self) -> &'static str {
        "none"
    }

    fn about(&self) -> &'static str {
        "No sandbox: everything is done on the host itself."
    }

    fn isolates(&self) -> bool {
        false
    }

    /// A link that is planted would be one of the host's.
    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        if settings.are_hostile() {
            return Err(Cannot::because("without a sandbox there is no image to plant anything in"));
        }
        Ok(())
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        self.check(order.settings)?;
        let streams = Streams::new()?;
        let poisoned = order.settings.launcher == Some(Launcher::Poisoned);
        match order.first {
            First::Command { argv, stdin } => {
                let first = launch(nursery, argv.to_vec(), poisoned, streams.inside())?;
                Ok(Sandbox::with_command(first, streams.into_command(stdin)?, Box::new(OpenDoor)))
            }
            First::Agent => {
                let token = random_word()?;
                let first = launch(nursery, agent_words(&token)?, poisoned, streams.inside())?;
                let (mut channel, stderr) = streams.into_channel(token.clone())?;
                let hello = channel.hello(order.deadline);
                let hello = hello.map_err(|error| StartError::Agent { error, stderr: drain(&stderr) })?;
                let found = found::agent(
                    &Sought { token: &token, reported: hello.pid, brought: None, root: None },
                    order.deadline,
                )?;
                Ok(Sandbox::with_agent(first, Some(found), channel, stderr, Box::new(OpenDoor)))
            }
        }
    }
}

fn agent_words(token: &str) -> Result<Vec<String>, StartError> {
    let program = std::env::current_exe().map_err(|error| StartError::Bundle(error.to_string()))?;
    Ok(vec![program.to_string_lossy().into_owned(), ROLE.to_owned(), token.to_owned()])
}

fn launch(
    nursery: &Nursery,
    argv: Vec<String>,
    poisoned: bool,
    streams: [i32; 3],
) -> Result<Process, NurseryError> {
    nursery.make(
        &Request::Launch(Launch { argv, root: None, beside: None, poisoned, part: Part::Unnamed }),
        streams,
    )
}

/// Further processes run on the host as well.
#[derive(Debug)]
struct OpenDoor;

impl Door for OpenDoor {
    fn enter(&self, nursery: &Nursery, role: &Role, streams: [i32; 3]) -> Result<Process, NurseryError> {
        let argv = match role {
            Role::Command { argv } => argv.clone(),
            Role::Agent { token } => {
                agent_words(token).map_err(|error| NurseryError::Unexpected(error.to_string()))?
            }
        };
        launch(nursery, argv, false, streams)
    }
}
