//! The sandboxes of a claim while it is judged, and asking them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::confirm::confirmed;
use super::hostile::Refused;
use super::idle::is_awake;
use super::run::Engine;
use super::trial::Making;
use crate::agent::ChannelError;
use crate::agent::protocol::Ask;
use crate::fact::{self, Answer, Bait, Ended, Outcome, Query, Reading, Subject, Unobserved, Vantage, View};
use crate::judge::Observations;
use crate::plan::Test;
use crate::sandbox::{
    self, Commanded, First, Further, NurseryError, Order, Process, Sandbox, StartError, native::Breakage,
};
use crate::spec::{Asked, Seen, Settings};
use crate::sys::signal_name;

/// The sandboxes of a scenario, started when they are first needed.
pub(super) struct Stage<'a> {
    engine: &'a Engine,
    making: Making<'a>,
    test: Arc<Test>,
    directory: PathBuf,
    pub(super) sandboxes: HashMap<String, Sandbox>,
    /// Those that the runtime has refused to start, since they are hostile.
    pub(super) refused: HashMap<String, Refused>,
    /// Whether all claims so far leave them as good as new.
    as_new: bool,
    /// What the claim's controls have answered, by what they were asked.
    pub(super) controls: HashMap<String, Vec<Answer>>,
    /// A process of the host's own.
    outsider: Option<Sandbox>,
    pub(super) joined: HashMap<String, Further>,
    pub(super) background: HashMap<String, Background>,
}

/// A command that was left running.
pub(super) struct Background {
    pub(super) process: Process,
    /// Held open: a command whose output nobody reads waits, and is not ended by SIGPIPE.
    pub(super) _streams: Commanded,
}

/// Why a sandbox is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// Its image is not to be had.
    #[error("{reason}")]
    Image {
        /// The image.
        name: String,
        /// Why not.
        reason: String,
    },
    /// It did not start.
    #[error("the sandbox did not start: {0}")]
    Start(#[from] StartError),
    /// It did not start, and one without what is hostile did.
    #[error("{0}")]
    Refused(String),
    /// A name stands for nothing.
    #[error("there is no process `{0}` (any more)")]
    Nobody(String),
    /// It could not be told something.
    #[error("{0}")]
    Agent(#[from] ChannelError),
}

impl<'a> Stage<'a> {
    pub(super) fn new(engine: &'a Engine, test: Arc<Test>, making: Making<'a>) -> Self {
        let directory = test.directory().to_owned();
        let as_new = test.leaves_as_new();
        Self {
            engine,
            making,
            test,
            directory,
            sandboxes: HashMap::new(),
            refused: HashMap::new(),
            as_new,
            controls: HashMap::new(),
            outsider: None,
            joined: HashMap::new(),
            background: HashMap::new(),
        }
    }

    /// Goes on with another claim of the same group. Of what the last one has done only sandboxes are left whose agent can answer: it may have been
    /// killed, or stopped.
    pub(super) fn turn_to(&mut self, test: Arc<Test>) {
        self.controls.clear();
        self.end_further();
        if !self.test.leaves_as_it_was() {
            self.sandboxes.retain(|_, sandbox| sandbox.agent().is_some() && is_awake(&sandbox.subject()));
        }
        self.as_new &= test.leaves_as_new();
        self.test = test;
    }

    /// Hands its sandboxes on to claims of other groups, if they are as good as new.
    pub(super) fn hand_on(mut self) {
        for (name, sandbox) in std::mem::take(&mut self.sandboxes) {
            if let Ok(settings) = self.settings(&name)
                && self.as_new
                && self.is_as_specified(&settings)
            {
                self.engine.idle().keep(self.kind(&settings), sandbox);
            }
        }
    }

    /// A sandbox that others have only looked at. What runs programs, or sends signals, has its own from the beginning.
    fn handed_on(&self, settings: &Settings) -> Option<Sandbox> {
        let takes = self.test.leaves_as_it_was() || self.test.only_joins();
        let kind = (takes && self.is_as_specified(settings)).then(|| self.kind(settings));
        kind.and_then(|kind| self.engine.idle().take(&kind))
    }

    /// What is broken on purpose is nobody else's, and what began with a command has gone on since.
    const fn is_as_specified(&self, settings: &Settings) -> bool {
        self.making.is_as_specified() && settings.command.is_none()
    }

    fn kind(&self, settings: &Settings) -> String {
        format!("{} {}", self.test.runtime.name(), self.test.kind(settings))
    }

    /// Ends what a claim has let into its sandboxes.
    fn end_further(&mut self) {
        self.joined.clear();
        self.background.clear();
    }

    /// The longest that a claim may take here besides what its steps wait for, whatever its own time limit.
    pub(super) const fn longest(&self) -> Option<Duration> {
        self.making.longest
    }

    /// Whether nobody will ask why a claim failed.
    pub(super) const fn is_terse(&self) -> bool {
        self.making.terse
    }

    /// What further processes are made by.
    pub(super) const fn engine(&self) -> &'a Engine {
        self.engine
    }

    /// The test whose claim is judged.
    pub(super) fn test(&self) -> &Test {
        &self.test
    }

    /// The settings of a sandbox.
    pub(super) fn settings(&self, name: &str) -> Result<Settings, StageError> {
        let found = self.test.settings().into_iter().find(|(known, _)| known == name);
        found.map(|(_, settings)| settings).ok_or_else(|| StageError::Nobody(name.to_owned()))
    }

    /// The same facts from the other viewpoints from which they can be seen, and what the known hints ask for.
    pub(super) fn other_views(&self, seen: &[Seen]) -> Vec<(View, Query)> {
        let mut all = Vec::new();
        for (view, expected) in
            seen.iter().flat_map(|seen| seen.facts.iter().map(move |fact| (&seen.view, fact)))
        {
            let (Asked::Fact(fact), View::Inside(name) | View::Outside(name)) = (expected.subject, view)
            else {
                continue;
            };
            // A further process has no sandbox of its name, and may be seen from outside only.
            if !self.sandboxes.contains_key(name) {
                continue;
            }
            let query = Query { fact: fact.name.to_owned(), argument: expected.argument.clone() };
            all.extend(fact.views.iter().map(|vantage| (seen_from(*vantage, name), query.clone())));
            if fact.name == "pid" {
                all.push((
                    View::Outside(name.clone()),
                    Query { fact: "nspid".to_owned(), argument: String::new() },
                ));
            }
        }
        all
    }

    /// The running sandbox of this name, set up.
    pub(super) fn sandbox(&mut self, name: &str, deadline: Instant) -> Result<&mut Sandbox, StageError> {
        let sandbox = self.started(name, deadline)?;
        sandbox.ready(deadline)?;
        Ok(sandbox)
    }

    /// The sandbox of this name, with the agent as its first process unless it was started otherwise.
    fn started(&mut self, name: &str, deadline: Instant) -> Result<&mut Sandbox, StageError> {
        if let Some(refused) = self.refused.get(name) {
            return Err(refused.error());
        }
        if !self.sandboxes.contains_key(name) {
            let settings = self.settings(name)?;
            let sandbox = match self.handed_on(&settings) {
                Some(sandbox) => sandbox,
                None => self.raise(name, &settings, first(&settings), deadline)?,
            };
            self.sandboxes.insert(name.to_owned(), sandbox);
        }
        self.sandboxes.get_mut(name).ok_or_else(|| StageError::Nobody(name.to_owned()))
    }

    /// Starts the sandbox of this name with a command as its first process.
    pub(super) fn start_command(
        &mut self,
        name: &str,
        argv: &[String],
        stdin: &str,
        deadline: Instant,
    ) -> Result<&mut Sandbox, StageError> {
        let settings = self.settings(name)?;
        let sandbox = self.raise(name, &settings, First::Command { argv, stdin }, deadline)?;
        self.sandboxes.insert(name.to_owned(), sandbox);
        self.sandboxes.get_mut(name).ok_or_else(|| StageError::Nobody(name.to_owned()))
    }

    pub(super) fn start(
        &self,
        settings: &Settings,
        first: First<'_>,
        deadline: Instant,
    ) -> Result<Sandbox, StageError> {
        let runtime = self.making.runtime.unwrap_or(self.test.runtime);
        self.start_by(runtime, settings, first, deadline, self.making.breakage)
    }

    pub(super) fn start_by(
        &self,
        runtime: &dyn sandbox::Runtime,
        settings: &Settings,
        first: First<'_>,
        deadline: Instant,
        breakage: Option<&Breakage>,
    ) -> Result<Sandbox, StageError> {
        let image = self.image(settings)?;
        let directory = &self.directory;
        let kept = self.test.asks_runtime();
        let order = Order { settings, image: &image, directory, first, deadline, kept, breakage };
        Ok(runtime.start(self.engine.nursery(), &order)?)
    }

    /// Builds the images that are not there yet.
    pub(super) fn fetch_images(&self) -> Result<(), StageError> {
        self.test.settings().iter().try_for_each(|(_, settings)| self.image(settings).map(drop))
    }

    /// The root of a sandbox's image.
    fn image(&self, settings: &Settings) -> Result<PathBuf, StageError> {
        if self.test.runtime.is_attached() {
            return Ok(PathBuf::from("/"));
        }
        let name = settings.image.as_deref().unwrap_or(super::images::DEFAULT);
        let image = self.engine.image(name, &self.directory);
        image.map_err(|reason| StageError::Image { name: name.to_owned(), reason })
    }

    /// Asks everything that is wanted; what cannot be asked is unobserved, and says why. Only a sandbox that does not come
    /// up is an error. Facts of one view are asked in one request.
    pub(super) fn observe(
        &mut self,
        wanted: &[(View, Query)],
        deadline: Instant,
    ) -> Result<Observations, StageError> {
        let mut observations = Observations::default();
        let mut rest = wanted;
        while let Some((view, query)) = rest.first() {
            let alike =
                |(other, next): &(View, Query)| other == view && is_attempt(next) == is_attempt(query);
            let count =
                if is_attempt(query) { 1 } else { rest.iter().take_while(|pair| alike(pair)).count() };
            let (now, later) = rest.split_at(count);
            let queries: Vec<Query> = now.iter().map(|(_, query)| query.clone()).collect();
            let answers = self.ask(view, &queries, deadline)?;
            for (query, answer) in queries.into_iter().zip(answers) {
                observations.insert(view.clone(), query, answer);
            }
            rest = later;
        }
        Ok(observations)
    }

    /// The namespaces of each sandbox that runs, by name: what is in none of them and not the host's is new.
    pub(super) fn running_sandboxes(&self) -> Vec<(String, Answer)> {
        let query = Query { fact: "namespaces".to_owned(), argument: String::new() };
        let subjects = self.sandboxes.iter().map(|(name, sandbox)| (name, sandbox.subject()));
        let running = subjects.filter(|(_, subject)| subject.ended().is_none());
        running.map(|(name, subject)| (name.clone(), read(&subject, &query))).collect()
    }

    fn ask(&mut self, view: &View, queries: &[Query], deadline: Instant) -> Result<Vec<Answer>, StageError> {
        let filled = match self.with_bait(queries) {
            Ok(filled) => filled,
            Err(reason) => return Ok(unobserved(queries, &reason)),
        };
        let queries = filled.as_slice();
        match view {
            View::Host if queries.iter().any(is_attempt) => self.ask_outsider(queries, deadline),
            View::Host => Ok(queries.iter().map(|query| read(&Subject::oneself(), query)).collect()),
            View::Outside(name) => {
                let subject = self.subject_of(name, queries, deadline)?;
                Ok(queries.iter().map(|query| read(&subject, query)).collect())
            }
            View::Inside(name) => self.ask_inside(name, queries, deadline),
            View::Control(name) => self.ask_control(name, queries, deadline),
            // It was asked when the claim began, and is added by whoever keeps it.
            View::Beginning(_) => Ok(Vec::new()),
        }
    }

    /// The queries with the names of the host's bait, which is laid out when it is first named.
    fn with_bait(&self, queries: &[Query]) -> Result<Vec<Query>, String> {
        if !queries.iter().any(|query| Bait::is_named_in(&query.argument)) {
            return Ok(queries.to_vec());
        }
        let bait = self.engine.nursery().bait().map_err(|error| format!("there is no bait: {error}"))?;
        queries.iter().map(|query| bait.fill_query(query)).collect()
    }

    /// What the host itself tries is tried by a process in no sandbox, which comes from the same nursery: what a sandbox would inherit from
    /// that, it has.
    fn ask_outsider(&mut self, queries: &[Query], deadline: Instant) -> Result<Vec<Answer>, StageError> {
        let mut outsider = match self.outsider.take() {
            Some(outsider) => outsider,
            None => self.outsider(deadline)?,
        };
        let (answers, dead) = ask_agent(&mut outsider, queries, deadline)?;
        self.outsider = (!dead).then_some(outsider);
        Ok(answers)
    }

    fn outsider(&self, deadline: Instant) -> Result<Sandbox, StageError> {
        let runtime = sandbox::by_name("none").unwrap_or(self.test.runtime);
        let settings = &Settings::default();
        let (image, directory) = (Path::new("/"), &self.directory);
        let order =
            Order { settings, image, directory, first: First::Agent, deadline, kept: false, breakage: None };
        Ok(runtime.start(self.engine.nursery(), &order)?)
    }

    fn ask_inside(
        &mut self,
        name: &str,
        queries: &[Query],
        deadline: Instant,
    ) -> Result<Vec<Answer>, StageError> {
        if let Some(further) = self.joined.get_mut(name) {
            let asked = further.agent().ask(&request(queries), deadline);
            let answers = asked.unwrap_or_else(|error| unobserved(queries, &error));
            return Ok(confirmed(queries, answers, &further.subject()));
        }
        let sandbox = self.started(name, deadline)?;
        if sandbox.is_watched() {
            return Ok(queries.iter().map(|query| seen_alike(&sandbox.subject(), query)).collect());
        }
        let (answers, dead) = ask_agent(sandbox, queries, deadline)?;
        let answers = confirmed(queries, answers, &sandbox.subject());
        // An attempt may end the process that tries it; whatever is asked next is asked of a fresh sandbox.
        if dead && queries.iter().any(is_attempt) {
            self.sandboxes.remove(name);
        }
        Ok(answers)
    }

    /// The process that a name stands for, as the host sees it.
    pub(super) fn subject(&mut self, name: &str, deadline: Instant) -> Result<Subject, StageError> {
        if let Some(background) = self.background.get(name) {
            return Ok(background.process.subject());
        }
        if let Some(further) = self.joined.get(name) {
            return Ok(further.subject());
        }
        Ok(self.sandbox(name, deadline)?.subject())
    }
}

/// The agent, unless it is to be started otherwise.
fn first(settings: &Settings) -> First<'_> {
    settings.command.as_deref().map_or(First::Agent, |argv| First::Command { argv, stdin: "" })
}

fn seen_from(vantage: Vantage, name: &str) -> View {
    match vantage {
        Vantage::Inside => View::Inside(name.to_owned()),
        Vantage::Outside => View::Outside(name.to_owned()),
        Vantage::Host => View::Host,
    }
}

fn is_attempt(query: &Query) -> bool {
    query.fact.starts_with("attempts.")
}

fn request(queries: &[Query]) -> Ask {
    match queries {
        [attempt] if is_attempt(attempt) => Ask::Attempt(attempt.clone()),
        facts => Ask::Observe(facts.to_vec()),
    }
}

/// What a process would say of itself, from outside: only what is by definition the same from there.
fn seen_alike(subject: &Subject, query: &Query) -> Answer {
    match fact::find(&query.fact) {
        Some(fact) if fact.same_outside => read(subject, query),
        _ => Err(Unobserved::because("only a process inside could tell, and none is put there")),
    }
}

/// The answers, and whether the agent is dead. A sandbox that turns out not to have come up is an error.
pub(super) fn ask_agent(
    sandbox: &mut Sandbox,
    queries: &[Query],
    deadline: Instant,
) -> Result<(Vec<Answer>, bool), StageError> {
    let Some(agent) = sandbox.agent() else {
        let reason = "the sandbox's first process is a command: nothing inside can be asked";
        return Ok((unobserved(queries, &reason), false));
    };
    match agent.ask(&request(queries), deadline) {
        Ok(answers) => match sandbox.deserted() {
            None => Ok((answers, false)),
            Some(ended) => Ok((unobserved(queries, &StartError::Deserted(ended)), false)),
        },
        Err(error) => after_failure(sandbox, queries, &error, deadline).map(|answers| (answers, true)),
    }
}

/// Death by a signal is what an attempt can end in; to any other question it is no answer.
fn after_failure(
    sandbox: &Sandbox,
    queries: &[Query],
    error: &ChannelError,
    deadline: Instant,
) -> Result<Vec<Answer>, StageError> {
    // Only who has closed its streams is about to end; where a call on this side failed, the agent goes on.
    if *error != ChannelError::Closed {
        return Ok(unobserved(queries, error));
    }
    if let Some(failure) = sandbox.failed() {
        return Err(StartError::from(NurseryError::Setup(failure)).into());
    }
    Ok(match (queries, sandbox.wait(deadline)) {
        ([query], Some(Ended::Signaled(number))) if is_attempt(query) => {
            let outcome = Outcome::Killed(signal_name(number));
            let raw = format!("the process that tried was ended by {}", signal_name(number));
            vec![Ok(Reading { value: serde_json::to_value(outcome).unwrap_or(Value::Null), raw })]
        }
        (_, Some(ended)) => unobserved(queries, &format!("the sandbox's first process {}", in_words(ended))),
        _ => unobserved(queries, error),
    })
}

fn unobserved(queries: &[Query], reason: &impl std::fmt::Display) -> Vec<Answer> {
    queries.iter().map(|_| Err(Unobserved::because(reason))).collect()
}

/// How a process ended, for a sentence.
pub(super) fn in_words(ended: Ended) -> String {
    match ended {
        Ended::Exited(status) => format!("exited with {status}"),
        Ended::Signaled(number) => format!("was ended by {}", signal_name(number)),
    }
}

fn read(subject: &Subject, query: &Query) -> Answer {
    let fact =
        fact::find(&query.fact).ok_or_else(|| Unobserved::because(format!("no fact `{}`", query.fact)))?;
    (fact.observe)(subject, &query.argument)
}

/// A signal by its number.
pub(super) fn signal(number: i32) -> Result<Signal, StageError> {
    Signal::try_from(number).map_err(|_| StageError::Nobody(format!("signal {number}")))
}
