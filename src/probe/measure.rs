//! Asking for every fact that needs no argument.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::agent::ChannelError;
use crate::agent::protocol::Ask;
use crate::fact::{self, Answer, Fact, Peer, Peers, Query, Subject, TABLE, Unobserved, Value, Vantage};
use crate::sandbox::{Cannot, First, Nursery, Order, Runtime, Sandbox, StartError};
use crate::spec::Settings;

/// How long a sandbox may take to come up and to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A fact and what was observed of it.
#[derive(Debug)]
pub struct Probed {
    /// The fact.
    pub fact: &'static Fact,
    /// Its value, held against the host's where it needs that; or why there is none.
    pub value: Result<Value, String>,
}

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The runtime cannot make such a sandbox.
    #[error(transparent)]
    Cannot(#[from] Cannot),
    /// The sandbox did not start.
    #[error("the sandbox did not start: {0}")]
    Start(#[from] StartError),
    /// Its agent did not answer.
    #[error("the agent did not answer: {0}")]
    Agent(#[from] ChannelError),
    /// It has no agent.
    #[error("the sandbox has no agent to ask")]
    Silent,
}

/// The facts of the process that asks.
pub fn host() -> Vec<Probed> {
    let subject = Subject::oneself();
    let answers: Vec<Answer> = facts().map(|fact| (fact.observe)(&subject, "")).collect();
    related(answers, &[])
}

/// The facts of a sandbox of these settings, as its agent sees them; and the sandbox, which ends with what is returned.
///
/// # Errors
/// There is no such sandbox to be had, or it does not answer.
pub fn sandbox(
    runtime: &dyn Runtime,
    nursery: &Nursery,
    settings: &Settings,
    image: &Path,
) -> Result<(Vec<Probed>, Sandbox), ProbeError> {
    runtime.check(settings)?;
    let deadline = Instant::now() + PATIENCE;
    let (directory, first) = (Path::new("."), First::Agent);
    let order = Order { settings, image, directory, first, deadline, kept: false, breakage: None };
    let mut sandbox = runtime.start(nursery, &order)?;
    sandbox.ready(deadline)?;
    let queries = facts().map(|fact| Query { fact: fact.name.to_owned(), argument: String::new() }).collect();
    let answers = sandbox.agent().ok_or(ProbeError::Silent)?.ask(&Ask::Observe(queries), deadline)?;
    let namespaces = fact::find("namespaces").map(|fact| (fact.observe)(&sandbox.subject(), ""));
    let peer = |namespaces| Peer { name: "first".to_owned(), namespaces, itself: true };
    let peers: Vec<Peer> =
        namespaces.and_then(Result::ok).map(|reading| peer(reading.value)).into_iter().collect();
    Ok((related(answers, &peers), sandbox))
}

/// Those that a process sees of itself, and that ask for nothing.
fn facts() -> impl Iterator<Item = &'static Fact> {
    TABLE.iter().filter(|fact| fact.argument.is_none() && fact.views.contains(&Vantage::Inside))
}

fn related(answers: Vec<Answer>, peers: &[Peer]) -> Vec<Probed> {
    facts().zip(answers).map(|(fact, answer)| Probed { fact, value: relate(fact, answer, peers) }).collect()
}

/// What shows only against others is held against the host's.
fn relate(fact: &Fact, answer: Answer, peers: &[Peer]) -> Result<Value, String> {
    let told = |unobserved: Unobserved| unobserved.reason;
    let mut value = answer.map_err(told)?.value;
    if let Some(relate) = fact.relate {
        let reference = fact::find(fact::reference(fact)).unwrap_or(fact);
        let host = (reference.observe)(&Subject::oneself(), "").map_err(told)?.value;
        relate(&mut value, &Peers { host: &host, sandboxes: peers, inside: true });
    }
    Ok(value)
}
