//! The messages: one JSON object a line; requests on the agent's standard input, replies on its standard output.
//!
//! The first line is the agent's [`Hello`]. After it each [`Reply`] answers one [`Request`] and repeats its nonce, so that
//! nothing else that writes to the same stream passes for an answer. The agent ends when its standard input does.

use serde::{Deserialize, Serialize};

use crate::fact::{Answer, Query};

/// The agent's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The token from its command line.
    pub token: String,
    /// Its PID as it sees it.
    pub pid: i32,
}

/// A request of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Never used twice.
    pub nonce: String,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Observe these facts, in order. Attempts are not among them.
    Observe(Vec<Query>),
    /// Try this (`attempts.VERB`), in the process itself.
    Attempt(Query),
    /// Send a signal with kill(2).
    Kill {
        /// The PID as the sandbox sees it.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
}

/// A reply of the agent: as many answers as were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The request's.
    pub nonce: String,
    /// The answers, in order. For [`Ask::Kill`] one, whose value is an [`crate::fact::Outcome`].
    pub answers: Vec<Answer>,
}
