//! The null runtime that lies: no isolation at all, and a program in the agent's place that gives every answer as an honest agent
//! in a real sandbox of the same settings gives it.

use std::os::fd::AsRawFd;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::idle::Idle;
use crate::sandbox::native::{Native, Role, start_agent_on};
use crate::sandbox::nursery::{Launch, Nursery, NurseryError, Part, Process, Request};
use crate::sandbox::running::{Door, Sandbox};
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::Streams;
use crate::spec::Settings;
use crate::sys::{Failure, random_word};

/// The liar. The honest agent is really asked, so that nothing in the answers themselves gives the lie away: the token, the nonces and
/// the facts are right, and so is the PID. A claim that passes here takes the agent's word on trust.
///
/// It can answer, but not act: a command in its place does nothing, and exits with 0.
#[derive(Debug)]
pub(in crate::sandbox) struct Liar;

/// Hands on what the honest agent says, and puts its own PID into the hello.
const RELAY: &str = r#"exec sed -u "1s/\"pid\":[0-9]*/\"pid\":$$/""#;

impl Runtime for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }

    fn about(&self) -> &'static str {
        "A liar in the place of the agent."
    }

    /// What the honest sandbox can be.
    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        Native.check(settings)
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        if matches!(order.first, First::Command { .. }) {
            return Idle::SUCCEEDS.start(nursery, order);
        }
        let (streams, token) = (Streams::new()?, random_word()?);
        let [questions, answers, errors] = streams.inside();
        let (relayed, honest_answers) =
            pipe2(OFlag::O_CLOEXEC).map_err(|errno| Failure::new("pipe2", &[], errno))?;
        let honest = start_agent_on(nursery, order, &token, [questions, honest_answers.as_raw_fd(), errors])?;
        let argv = ["sh", "-c", RELAY].map(str::to_owned).to_vec();
        let relay =
            Request::Launch(Launch { argv, root: None, beside: None, poisoned: false, part: Part::Unnamed });
        let first = nursery.make(&relay, [relayed.as_raw_fd(), answers, errors])?;
        let (channel, stderr) = streams.into_channel(token)?;
        let channel = channel.vouched_by(Box::new(first.known()?));
        Ok(Sandbox::with_agent(first, None, channel, stderr, Box::new(Accomplice { _honest: honest })))
    }
}

/// Keeps the honest agent alive as long as the liar needs it, and lets nobody in.
#[derive(Debug)]
struct Accomplice {
    _honest: Process,
}

impl Door for Accomplice {
    fn enter(&self, _: &Nursery, _: &Role, _: [i32; 3]) -> Result<Process, NurseryError> {
        Err(NurseryError::Unexpected("the liar has no sandbox that could be entered".to_owned()))
    }
}
