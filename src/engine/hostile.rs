//! Sandboxes that are made of hostile images and settings. A runtime may refuse them: that is as sound as to start them unharmed, if it starts
//! what is not hostile.

use std::sync::Arc;
use std::time::Instant;

use super::stage::{Stage, StageError};
use crate::fact::{Query, Subject, Traces};
use crate::sandbox::{First, Sandbox, Scratch};
use crate::spec::Settings;

/// What can be said of a sandbox that was refused: what its runtime has left on the host, and that no process of it leads out.
const TOLD: [&str; 2] = ["scratch", "strays"];

/// A hostile sandbox that was not started.
#[derive(Debug)]
pub(super) struct Refused {
    scratch: Arc<Scratch>,
    reason: String,
}

impl Refused {
    /// Why nothing else can be said of it. What has left its traces has not just refused, and is told so.
    pub(super) fn error(&self) -> StageError {
        match self.scratch.differences() {
            Ok(left) if left.is_empty() => StageError::Refused(self.reason.clone()),
            left => StageError::Nobody(format!("{}, which has left on the host {left:?}", self.reason)),
        }
    }

    fn subject(&self) -> Subject {
        Subject::nobody().traced_by(Some(Arc::clone(&self.scratch) as Arc<dyn Traces>))
    }
}

impl Stage<'_> {
    /// Starts a sandbox; of hostile settings with a scratch folder, and until it stands: only then is it known whether it was refused.
    pub(super) fn raise(
        &mut self,
        name: &str,
        settings: &Settings,
        first: First<'_>,
        deadline: Instant,
    ) -> Result<Sandbox, StageError> {
        if !settings.are_hostile() {
            return self.start(settings, first, deadline);
        }
        let place = self.engine().nursery().run().scratch();
        let scratch = Arc::new(Scratch::lay(place).map_err(|failure| StageError::Start(failure.into()))?);
        let filled = settings.with_scratch(&scratch.path().to_string_lossy());
        match self.start(&filled, first, deadline).and_then(|sandbox| stands(sandbox, deadline)) {
            Ok(sandbox) => Ok(sandbox.with_scratch(scratch)),
            Err(error) => Err(self.refused_by(name, settings, error, scratch, deadline)),
        }
    }

    /// The error; and that the runtime has refused, if without what is hostile it starts a sandbox.
    fn refused_by(
        &mut self,
        name: &str,
        settings: &Settings,
        error: StageError,
        scratch: Arc<Scratch>,
        deadline: Instant,
    ) -> StageError {
        let said = if let StageError::Start(start) = &error { start.refused() } else { None };
        let Some(said) = said else { return error };
        let plain = self.start(&settings.without_hostility(), First::Agent, deadline);
        if plain.and_then(|sandbox| stands(sandbox, deadline)).is_err() {
            return error;
        }
        let reason = format!("it refuses what is hostile, and starts a sandbox without: {said}");
        let refused = Refused { scratch, reason };
        let error = refused.error();
        self.refused.insert(name.to_owned(), refused);
        error
    }

    /// The process that is asked about; of a sandbox that was refused nobody, if nothing else is asked than can be said then.
    pub(super) fn subject_of(
        &mut self,
        name: &str,
        queries: &[Query],
        deadline: Instant,
    ) -> Result<Subject, StageError> {
        let subject = self.subject(name, deadline);
        let can_be_told = queries.iter().all(|query| TOLD.contains(&query.fact.as_str()));
        match self.refused.get(name) {
            Some(refused) if can_be_told => Ok(refused.subject()),
            _ => subject,
        }
    }
}

fn stands(mut sandbox: Sandbox, deadline: Instant) -> Result<Sandbox, StageError> {
    sandbox.ready(deadline)?;
    Ok(sandbox)
}
