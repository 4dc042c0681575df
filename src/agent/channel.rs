//! The host's side of an agent's streams. Nothing that comes from a sandbox is trusted: each line is bounded in length and
//! in time, and must be exactly the reply that was asked for.

use std::os::fd::OwnedFd;
use std::time::Instant;

use serde::de::DeserializeOwned;

use super::line::{REPLY_CAP, REQUEST_CAP};
use super::protocol::{Ask, Hello, Reply, Request};
use crate::fact::Answer;
use crate::sys::{Failure, pipe, random_word};

/// How much of what came in the agent's place is shown.
const SHOWN: usize = 80;

/// The host's ends of the streams of one agent. Dropping it ends the agent's input, and so the agent.
#[derive(Debug)]
pub struct Channel {
    to_agent: OwnedFd,
    from_agent: OwnedFd,
    token: String,
    /// What was read beyond the last line.
    pending: Vec<u8>,
    voucher: Option<Box<dyn Vouch>>,
    greeted: bool,
    /// What went wrong: from then on the next line would not be the next answer.
    failed: Option<ChannelError>,
}

/// Who knows the process that must be at the other end. A token can be repeated by anyone who was shown it.
pub trait Vouch: Send + Sync + std::fmt::Debug {
    /// Says why the process that said this hello is not the agent that the host started.
    fn vouch(&self, hello: &Hello) -> Result<(), String>;
}

/// Why an agent could not be spoken with: the claim is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Nothing, or no whole line, came in time.
    #[error("the agent did not answer in time{}", shown(.0))]
    Late(String),
    /// The stream ended before anything came.
    #[error("the agent closed its streams without an answer")]
    Closed,
    /// The stream ended within a line.
    #[error("the agent's answer was cut after {} bytes{}", .length, shown(.start))]
    Cut {
        /// How many bytes of the line came.
        length: usize,
        /// The first of them.
        start: String,
    },
    /// The line is longer than any answer.
    #[error("what came in the agent's place is longer than {} bytes{}", .cap, shown(.start))]
    TooLong {
        /// The longest that is read.
        cap: usize,
        /// The first bytes.
        start: String,
    },
    /// The line is not a message of the protocol.
    #[error("answered garbage in the agent's place{}", shown(.0))]
    Garbage(String),
    /// The hello carries another token.
    #[error("another agent answered: its token is {0:?}")]
    WrongToken(String),
    /// The host sees another process there than airtight's own agent, or cannot see what it is.
    #[error("what answers cannot be taken for the agent: {0}")]
    Impostor(String),
    /// The reply repeats another nonce.
    #[error("the agent answered another request{}", shown(.0))]
    WrongNonce(String),
    /// The reply has more or fewer answers than were asked for.
    #[error("the agent gave {got} answers to {asked} questions")]
    WrongCount {
        /// How many were asked for.
        asked: usize,
        /// How many came.
        got: usize,
    },
    /// The request is longer than the agent reads.
    #[error("a request of {0} bytes is longer than the agent reads")]
    RequestTooLong(usize),
    /// A system call on the streams failed.
    #[error("the agent's streams failed: {0}")]
    Stream(#[from] Failure),
}

impl Channel {
    /// Takes the host's ends of the agent's standard input and output. `token` is the one on the agent's command line.
    pub fn new(to_agent: OwnedFd, from_agent: OwnedFd, token: impl Into<String>) -> Result<Self, Failure> {
        pipe::set_nonblocking(&to_agent)?;
        pipe::set_nonblocking(&from_agent)?;
        let (token, pending) = (token.into(), Vec::new());
        Ok(Self { to_agent, from_agent, token, pending, voucher: None, greeted: false, failed: None })
    }

    /// From now on nothing that the agent says counts unless it is vouched for.
    #[must_use]
    pub fn vouched_by(self, voucher: Box<dyn Vouch>) -> Self {
        Self { voucher: Some(voucher), ..self }
    }

    /// Reads the agent's first line, checks its token, and has the process vouched for. To be called at most once; without it,
    /// the first question does it.
    pub fn hello(&mut self, deadline: Instant) -> Result<Hello, ChannelError> {
        let heard = self.hear_hello(deadline);
        self.greeted = heard.is_ok();
        self.failed = heard.as_ref().err().cloned();
        heard
    }

    fn hear_hello(&mut self, deadline: Instant) -> Result<Hello, ChannelError> {
        let hello: Hello = self.receive(deadline)?;
        if hello.token != self.token {
            return Err(ChannelError::WrongToken(hello.token));
        }
        self.voucher
            .as_ref()
            .map_or(Ok(()), |voucher| voucher.vouch(&hello))
            .map_err(ChannelError::Impostor)?;
        Ok(hello)
    }

    /// Whether the agent has said hello.
    pub const fn greeted(&self) -> bool {
        self.greeted
    }

    /// Sends a request and reads its reply: one answer for each that was asked for. After an error the channel is of no
    /// more use, and every further question fails with the same: the next line would not be the next answer.
    pub fn ask(&mut self, ask: &Ask, deadline: Instant) -> Result<Vec<Answer>, ChannelError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let answers = self.exchange(ask, deadline);
        self.failed = answers.as_ref().err().cloned();
        answers
    }

    fn exchange(&mut self, ask: &Ask, deadline: Instant) -> Result<Vec<Answer>, ChannelError> {
        // What may end the process waits until it has been vouched for: of one that has ended nobody can say what it was.
        if !self.greeted && !matches!(ask, Ask::Observe(_)) {
            self.hello(deadline)?;
        }
        let request = Request { nonce: random_word()?, ask: ask.clone() };
        match self.send(&request, deadline) {
            // An agent that is gone may have left a last word, which tells more than the broken pipe.
            Err(ChannelError::Stream(failure)) if failure.errno == libc::EPIPE => {}
            sent => sent?,
        }
        // The question did not wait for the hello: it is there when the agent is.
        if !self.greeted {
            self.hello(deadline)?;
        }
        let reply: Reply = self.receive(deadline)?;
        if reply.nonce != request.nonce {
            return Err(ChannelError::WrongNonce(first_bytes(reply.nonce.as_bytes())));
        }
        let (asked, got) = (count(ask), reply.answers.len());
        if asked == got { Ok(reply.answers) } else { Err(ChannelError::WrongCount { asked, got }) }
    }

    fn send(&mut self, request: &Request, deadline: Instant) -> Result<(), ChannelError> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| ChannelError::Garbage(error.to_string()))?;
        if line.len() > REQUEST_CAP {
            return Err(ChannelError::RequestTooLong(line.len()));
        }
        line.push(b'\n');
        let mut rest = &line[..];
        while !rest.is_empty() {
            match pipe::write_before(&self.to_agent, rest, deadline)? {
                Some(written) => rest = &rest[written..],
                None => return Err(ChannelError::Late(String::new())),
            }
        }
        Ok(())
    }

    fn receive<T: DeserializeOwned>(&mut self, deadline: Instant) -> Result<T, ChannelError> {
        let line = self.line(deadline)?;
        serde_json::from_slice(&line).map_err(|_| ChannelError::Garbage(first_bytes(&line)))
    }

    fn line(&mut self, deadline: Instant) -> Result<Vec<u8>, ChannelError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.pending[searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut self.pending, rest);
                line.pop();
                return Ok(line);
            }
            searched = self.pending.len();
            if searched > REPLY_CAP {
                return Err(ChannelError::TooLong { cap: REPLY_CAP, start: first_bytes(&self.pending) });
            }
            self.read_more(deadline)?;
        }
    }

    fn read_more(&mut self, deadline: Instant) -> Result<(), ChannelError> {
        match pipe::read_before(&self.from_agent, &mut self.pending, deadline)? {
            None => Err(ChannelError::Late(first_bytes(&self.pending))),
            Some(0) if self.pending.is_empty() => Err(ChannelError::Closed),
            Some(0) => {
                Err(ChannelError::Cut { length: self.pending.len(), start: first_bytes(&self.pending) })
            }
            Some(_) => Ok(()),
        }
    }
}

const fn count(ask: &Ask) -> usize {
    match ask {
        Ask::Observe(queries) => queries.len(),
        Ask::Attempt(_) | Ask::Kill { .. } => 1,
    }
}

fn first_bytes(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string()
}

fn shown(start: &str) -> String {
    if start.is_empty() { String::new() } else { format!(": {start}") }
}
