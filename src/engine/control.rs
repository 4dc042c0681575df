//! The controls of `denied`: the same attempt in a sandbox without the restriction, where it must succeed.
//!
//! What has succeeded once in such a sandbox is not tried again in the same run; and one in which nothing was left behind is asked other questions, of
//! other claims as well. What is refused there, or not answered, is tried again in a control that nobody has used: no control fails by what another
//! claim did.

use std::time::Instant;

use super::stage::{Stage, StageError, ask_agent};
use crate::fact::{Answer, Query, find_attempt};
use crate::sandbox::{First, Sandbox, native};
use crate::spec::Settings;

impl Stage<'_> {
    /// The answers of a control, which is made from the settings of this sandbox, and is as sound in a trial as elsewhere. Each question is
    /// asked once for a claim.
    pub(super) fn ask_control(
        &mut self,
        name: &str,
        queries: &[Query],
        deadline: Instant,
    ) -> Result<Vec<Answer>, StageError> {
        let settings = native::without_restrictions(&self.settings(name)?);
        let kind = format!("control {}", self.test().kind(&settings));
        let asked = format!("{kind} {queries:?}");
        let known = self.controls.get(&asked).cloned().or_else(|| self.engine().remembered(&asked));
        if let Some(answers) = known {
            return Ok(answers);
        }
        let answers = match self.ask_shared_control(&kind, queries, deadline) {
            Some(answers) => answers,
            None => self.ask_own_control(kind, &settings, queries, deadline)?,
        };
        if succeeded(&answers) {
            self.engine().remember(&asked, &answers);
        }
        self.controls.insert(asked, answers.clone());
        Ok(answers)
    }

    /// The answers of a control that has served others, if the attempt succeeds there.
    fn ask_shared_control(&self, kind: &str, queries: &[Query], deadline: Instant) -> Option<Vec<Answer>> {
        let control = self.engine().idle().take(kind)?;
        // If it does not answer there must be time for another.
        let half = deadline.saturating_duration_since(Instant::now()) / 2;
        let answers = self.ask_in(control, kind.to_owned(), queries, Instant::now() + half).ok()?;
        succeeded(&answers).then_some(answers)
    }

    fn ask_own_control(
        &self,
        kind: String,
        settings: &Settings,
        queries: &[Query],
        deadline: Instant,
    ) -> Result<Vec<Answer>, StageError> {
        self.engine().count_control();
        let runtime = crate::sandbox::by_name("native").unwrap_or(self.test().runtime);
        let control = self.start_by(runtime, settings, First::Agent, deadline, None)?;
        self.ask_in(control, kind, queries, deadline)
    }

    /// Asks a control. If nothing was left behind in it others may have it.
    fn ask_in(
        &self,
        mut control: Sandbox,
        kind: String,
        queries: &[Query],
        deadline: Instant,
    ) -> Result<Vec<Answer>, StageError> {
        let (answers, _dead) = ask_agent(&mut control, queries, deadline)?;
        if succeeded(&answers) && queries.iter().all(leaves_nothing) {
            self.engine().idle().keep(kind, control);
        }
        Ok(answers)
    }
}

/// What has not succeeded has not shown that the control is as it was.
fn succeeded(answers: &[Answer]) -> bool {
    answers.iter().all(|answer| answer.as_ref().is_ok_and(|reading| reading.value == "allowed"))
}

fn leaves_nothing(query: &Query) -> bool {
    let attempt = query.fact.strip_prefix("attempts.").and_then(find_attempt);
    attempt.is_some_and(|attempt| attempt.leaves.nothing(&query.argument))
}
