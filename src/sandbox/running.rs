//! A running sandbox.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::command::Found;
use super::native::Role;
use super::nursery::{Nursery, NurseryError, Process};
use super::runtime::StartError;
use super::scratch::Scratch;
use super::streams::{Commanded, Streams, drain};
use crate::agent::Channel;
use crate::fact::{Ended, Report, Reporter, Subject, Traces};
use crate::sys::{Failure, random_word};

/// How long the kernel may take to end a killed sandbox.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a runtime may take to put away a sandbox that has ended.
const TIDYING: Duration = Duration::from_secs(3);

/// How long a runtime may take to let in an agent that only looks where it is.
const LOOKING: Duration = Duration::from_secs(5);

/// Whether a runtime's further processes come into the sandbox: tried once, since it costs a process. Why they do not, or nothing.
pub(super) type Trial = OnceLock<Option<String>>;

/// The way in for further processes.
pub(super) trait Door: Send + Sync + std::fmt::Debug {
    /// Makes a process in the sandbox, with these streams.
    fn enter(&self, nursery: &Nursery, role: &Role, streams: [i32; 3]) -> Result<Process, NurseryError>;

    /// The agent that said hello, where it is not the process that entered: a runtime stands between.
    fn find(&self, _token: &str, _reported: i32, _deadline: Instant) -> Result<Option<Found>, StartError> {
        Ok(None)
    }

    /// Whether it is: the process that enters is a runtime's own, which starts the one that is meant.
    fn is_indirect(&self) -> bool {
        false
    }

    /// What is known of where it leads, if that is in question: a runtime's own way may lead into another sandbox.
    fn trial(&self) -> Option<&Trial> {
        None
    }

    /// Who says what the runtime says of the sandbox.
    fn reporter(&self) -> Option<Arc<dyn Reporter>> {
        None
    }

    /// Has the runtime's own command send the first process a signal.
    fn signal(&self, _: Signal) -> Result<(), String> {
        Err("this runtime has no command that sends signals".to_owned())
    }

    /// Whether it can be closed while the first process is ended, which takes a daemon less time than one after the other.
    fn closes_apart(&self) -> bool {
        false
    }

    /// Ends what the runtime's own process does not end with itself, a daemon's container; `by_itself` tells that it has not been killed.
    fn close(&self, _by_itself: bool) {}
}

/// A running sandbox. Dropping it ends it and everything in it.
#[derive(Debug)]
pub struct Sandbox {
    first: Process,
    /// The agent, where a runtime stands between it and the nursery.
    found: Option<Found>,
    voice: Voice,
    door: Box<dyn Door>,
    /// What its settings led to on the host.
    scratch: Option<Arc<Scratch>>,
}

/// What the nursery has said of a process that it made itself.
#[derive(Debug)]
struct Nursed {
    pid: i32,
    ended: Option<Ended>,
}

impl Reporter for Nursed {
    fn report(&self, name: &str) -> Result<Report, String> {
        if name != "nursery" {
            return Err(format!("native has no report `{name}`; there is nursery"));
        }
        let (pid, status, exit_code) = match self.ended {
            None => (self.pid, "running", None),
            Some(Ended::Exited(status)) => (0, "exited", Some(status)),
            // As shells and container engines count.
            Some(Ended::Signaled(signal)) => (0, "exited", Some(128 + signal)),
        };
        let text = format!("{{\"pid\":{pid},\"status\":\"{status}\"}}");
        let (pid, status) = (Some(pid.into()), Some(status.to_owned()));
        Ok(Report { text, pid, status, exit_code: exit_code.map(i64::from), namespaces: Vec::new() })
    }
}

/// The door of a sandbox that is only looked at.
#[derive(Debug)]
struct Shut;

impl Door for Shut {
    fn enter(&self, _: &Nursery, _: &Role, _: [i32; 3]) -> Result<Process, NurseryError> {
        Err(NurseryError::Unexpected("nothing is let into a sandbox that is only looked at".to_owned()))
    }
}

/// What the first process is to the host.
#[derive(Debug)]
enum Voice {
    Agent {
        channel: Channel,
        stderr: OwnedFd,
    },
    Command(Box<Commanded>),
    /// It was there before, and says nothing.
    Watched,
}

/// A further agent in a sandbox.
#[derive(Debug)]
pub struct Further {
    process: Process,
    /// The agent, where a runtime stands between it and the nursery.
    found: Option<Found>,
    channel: Channel,
    _stderr: OwnedFd,
}

impl Sandbox {
    /// A sandbox whose first process is the agent, or whose agent was found.
    pub(super) fn with_agent(
        first: Process,
        found: Option<Found>,
        channel: Channel,
        stderr: OwnedFd,
        door: Box<dyn Door>,
    ) -> Self {
        Self { first, found, voice: Voice::Agent { channel, stderr }, door, scratch: None }
    }

    /// A sandbox whose first process is a command.
    pub(super) fn with_command(first: Process, command: Commanded, door: Box<dyn Door>) -> Self {
        Self { first, found: None, voice: Voice::Command(Box::new(command)), door, scratch: None }
    }

    /// A sandbox that is only looked at.
    pub(super) fn watched(first: Process) -> Self {
        Self { first, found: None, voice: Voice::Watched, door: Box::new(Shut), scratch: None }
    }

    /// With the scratch folder that its settings led to.
    #[must_use]
    pub fn with_scratch(mut self, scratch: Arc<Scratch>) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// Whether it is.
    pub const fn is_watched(&self) -> bool {
        matches!(self.voice, Voice::Watched)
    }

    /// Waits until it is set up, which its agent's hello says, or the nursery of a command. Questions to the agent need not wait
    /// for this; everything else must, since a sandbox that is half made cannot be entered.
    pub fn ready(&mut self, deadline: Instant) -> Result<(), StartError> {
        let channel = match &mut self.voice {
            Voice::Agent { channel, .. } => channel,
            Voice::Command(_) => return Ok(self.first.ready(deadline)?),
            Voice::Watched => return Ok(()),
        };
        if channel.greeted() {
            return self.deserted().map_or(Ok(()), |ended| Err(StartError::Deserted(ended)));
        }
        match channel.hello(deadline) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.first.kill(deadline);
                Err(match self.first.failed() {
                    Some(failure) => NurseryError::Setup(failure).into(),
                    None => StartError::Agent { error, stderr: self.complaints() },
                })
            }
        }
    }

    /// The agent's streams; `None` when the first process is a command.
    pub fn agent(&mut self) -> Option<&mut Channel> {
        match &mut self.voice {
            Voice::Agent { channel, .. } => Some(channel),
            Voice::Command(_) | Voice::Watched => None,
        }
    }

    /// The command that is the first process, with its output so far.
    pub fn command(&mut self) -> Option<(&mut Commanded, &Process)> {
        match &mut self.voice {
            Voice::Command(command) => Some((command, &self.first)),
            Voice::Agent { .. } | Voice::Watched => None,
        }
    }

    /// What the agent has said on its standard error.
    pub fn complaints(&self) -> String {
        match &self.voice {
            Voice::Agent { stderr, .. } => drain(stderr),
            Voice::Command(_) | Voice::Watched => String::new(),
        }
    }

    /// The first process as the host sees it.
    pub fn subject(&self) -> Subject {
        let subject = seen(self.found.as_ref(), &self.first);
        let of_nursery =
            || Arc::new(Nursed { pid: self.first.pid(), ended: subject.ended() }) as Arc<dyn Reporter>;
        let reporter = self.door.reporter().or_else(|| self.found.is_none().then(of_nursery));
        let traces = self.scratch.clone().map(|scratch| scratch as Arc<dyn Traces>);
        subject.reported_by(reporter).traced_by(traces)
    }

    /// How the first process ended, if it has; waits for it until the deadline.
    pub fn wait(&self, deadline: Instant) -> Option<Ended> {
        self.first.wait(deadline)
    }

    /// How the runtime ended, if it has while what it started goes on: nobody answers for that any more.
    pub fn deserted(&self) -> Option<Ended> {
        deserted(self.found.as_ref(), &self.first)
    }

    /// Why the first process could not be set up or executed, if that is so.
    pub fn failed(&self) -> Option<Failure> {
        self.first.failed()
    }

    /// The host sends the first process a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        send(self.found.as_ref(), &self.first, signal)
    }

    /// The runtime sends the first process a signal, by its own command.
    pub fn signal_by_runtime(&self, signal: Signal) -> Result<(), String> {
        self.door.signal(signal)
    }

    /// Starts a command in it, as a further process.
    pub fn exec(
        &self,
        nursery: &Nursery,
        argv: &[String],
        stdin: &str,
    ) -> Result<(Process, Commanded), StartError> {
        self.try_door(nursery)?;
        let streams = Streams::new()?;
        let role = Role::Command { argv: argv.to_vec() };
        let process = self.door.enter(nursery, &role, streams.inside())?;
        Ok((process, streams.into_command(stdin)?))
    }

    /// A command says nothing of where it is: an agent does. One that is not let in says nothing either, and the command speaks for itself.
    fn try_door(&self, nursery: &Nursery) -> Result<(), StartError> {
        let Some(trial) = self.door.trial() else { return Ok(()) };
        let elsewhere = trial.get_or_init(|| match self.join(nursery, Instant::now() + LOOKING) {
            Err(StartError::Elsewhere(reason)) => Some(reason),
            _ => None,
        });
        elsewhere.clone().map_or(Ok(()), |reason| Err(StartError::Elsewhere(reason)))
    }

    /// Lets a further agent in.
    pub fn join(&self, nursery: &Nursery, deadline: Instant) -> Result<Further, StartError> {
        let streams = Streams::new()?;
        let token = random_word()?;
        let process = self.door.enter(nursery, &Role::Agent { token: token.clone() }, streams.inside())?;
        let (channel, stderr) = streams.into_channel(token.clone())?;
        let mut channel =
            if self.door.is_indirect() { channel } else { channel.vouched_by(Box::new(process.known()?)) };
        match channel.hello(deadline) {
            Ok(hello) => {
                let found = self.door.find(&token, hello.pid, deadline)?;
                Ok(Further { process, found, channel, _stderr: stderr })
            }
            Err(error) => Err(match process.failed() {
                Some(failure) => NurseryError::Setup(failure).into(),
                None => StartError::Agent { error, stderr: drain(&stderr) },
            }),
        }
    }
}

/// A process as the host sees it, or the one that a runtime has started for it.
fn seen(found: Option<&Found>, process: &Process) -> Subject {
    let found = found.map(|found| Subject::other(found.pid, process.ended()));
    found.unwrap_or_else(|| process.subject())
}

fn send(found: Option<&Found>, process: &Process, signal: Signal) -> Result<(), Failure> {
    found.map_or_else(|| process.signal(signal), |found| found.signal(signal))
}

fn deserted(found: Option<&Found>, process: &Process) -> Option<Ended> {
    process.ended().filter(|_| found.is_some_and(Found::is_alive))
}

/// Ends a process. Where a runtime stands between, it is let see the end of its sandbox, and put away what it keeps of it.
fn end(found: Option<&Found>, process: &Process) {
    if let Some(found) = found {
        // It fails only for a process that is gone.
        let _ = found.signal(Signal::SIGKILL);
        process.wait(Instant::now() + TIDYING);
    }
    process.end(Instant::now() + PATIENCE);
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Self { first, found, door, .. } = self;
        thread::scope(|scope| {
            let closing =
                door.closes_apart().then(|| thread::Builder::new().spawn_scoped(scope, || door.close(false)));
            end(found.as_ref(), first);
            if !matches!(closing, Some(Ok(_))) {
                door.close(matches!(first.ended(), Some(Ended::Exited(_))));
            }
        });
    }
}

impl Further {
    /// Its streams.
    pub fn agent(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// The process as the host sees it.
    pub fn subject(&self) -> Subject {
        seen(self.found.as_ref(), &self.process)
    }

    /// The host sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        send(self.found.as_ref(), &self.process, signal)
    }
}

impl Drop for Further {
    fn drop(&mut self) {
        end(self.found.as_ref(), &self.process);
    }
}
