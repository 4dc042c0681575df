//! What steps do.

use std::time::Instant;

use super::stage::{Background, Stage, StageError, in_words, signal};
use crate::agent::ChannelError;
use crate::agent::protocol::Ask;
use crate::fact::{Ended, Subject, find};
use crate::judge::{Verdict, judge_command};
use crate::sandbox::{Captured, Commanded, NurseryError, Process, Sandbox};
use crate::spec::{Action, Command, Kill, Sender, Words};

/// What became of an action.
#[derive(Debug)]
pub(super) enum Done {
    /// This is what is to be said of it.
    Judged(Verdict),
    /// It is not as it should be, in a sentence.
    Failed(String),
    /// It could not be done.
    Broken(String),
}

impl Stage<'_> {
    /// Does it, and judges what it gave.
    pub(super) fn perform(&mut self, action: &Action, deadline: Instant) -> Result<Done, StageError> {
        match action {
            Action::Run(command) => self.run(command, deadline),
            Action::Exec(command) => self.exec(command, deadline),
            Action::HostRun(command) => self.host_run(command, deadline),
            Action::Kill(kill) => self.kill(kill, deadline),
            Action::Join { name, sandbox } => {
                let nursery = self.engine().nursery();
                let further = self.sandbox(sandbox, deadline)?.join(nursery, deadline)?;
                self.joined.insert(name.clone(), further);
                Ok(Done::Judged(Verdict::Held))
            }
        }
    }

    fn run(&mut self, command: &Command, deadline: Instant) -> Result<Done, StageError> {
        let sandbox =
            self.start_command(&command.sandbox, &argv(&command.words), &command.stdin, deadline)?;
        match sandbox.command() {
            Some((streams, process)) if command.name.is_none() => {
                Ok(finish(command, process, streams, deadline))
            }
            _ => Ok(Done::Judged(Verdict::Held)),
        }
    }

    fn exec(&mut self, command: &Command, deadline: Instant) -> Result<Done, StageError> {
        let nursery = self.engine().nursery();
        let sandbox = self.sandbox(&command.sandbox, deadline)?;
        let (process, streams) = sandbox.exec(nursery, &argv(&command.words), &command.stdin)?;
        Ok(self.settle(command, process, streams, deadline))
    }

    /// On the host, with what it needs to find the sandbox in its environment.
    fn host_run(&mut self, command: &Command, deadline: Instant) -> Result<Done, StageError> {
        let subject = self.subject(&command.sandbox, deadline)?;
        let pid = subject.pid().unwrap_or_default();
        let mut words = vec!["env".to_owned(), format!("AIRTIGHT_PID={pid}")];
        words.push(format!("AIRTIGHT_ROOTFS=/proc/{pid}/root"));
        words.push(format!("AIRTIGHT_ID={}", self.engine().nursery().run().tag()));
        words.extend(argv(&command.words));
        let (process, streams) = crate::sandbox::on_host(self.engine().nursery(), words, &command.stdin)?;
        Ok(self.settle(command, process, streams, deadline))
    }

    /// Waits for a command and judges it, or leaves it running under its name.
    fn settle(
        &mut self,
        command: &Command,
        process: Process,
        mut streams: Commanded,
        deadline: Instant,
    ) -> Done {
        match &command.name {
            None => {
                let done = finish(command, &process, &mut streams, deadline);
                process.kill(deadline);
                done
            }
            Some(name) => {
                // Nobody waits for its end: that it never became what it was to be would not be seen.
                if let Err(error) = process.ready(deadline) {
                    return Done::Broken(format!("the command `{name}` did not start: {error}"));
                }
                self.background.insert(name.clone(), Background { process, _streams: streams });
                Done::Judged(Verdict::Held)
            }
        }
    }

    fn kill(&mut self, kill: &Kill, deadline: Instant) -> Result<Done, StageError> {
        let name = if kill.process == "first" { kill.sandbox.as_str() } else { kill.process.as_str() };
        let failed = |failure: &dyn std::fmt::Display| {
            Done::Failed(format!("the signal could not be sent: {failure}"))
        };
        match kill.from {
            Sender::Host => {
                let sent = self.signal_from_host(name, kill.signal, deadline)?;
                Ok(sent.map_or_else(|failure| failed(&failure), |()| Done::Judged(Verdict::Held)))
            }
            Sender::Runtime => {
                let sent = self.sandbox(name, deadline)?.signal_by_runtime(signal(kill.signal)?);
                Ok(sent.map_or_else(|failure| failed(&failure), |()| Done::Judged(Verdict::Held)))
            }
            Sender::Inside => {
                let pid = inner_pid(&self.subject(name, deadline)?)
                    .ok_or_else(|| StageError::Nobody(name.to_owned()))?;
                let sandbox = self.sandbox(&kill.sandbox, deadline)?;
                let Some(agent) = sandbox.agent() else { return Ok(Done::Broken(NO_SENDER.to_owned())) };
                let answers = match agent.ask(&Ask::Kill { pid, signal: kill.signal }, deadline) {
                    Ok(answers) => answers,
                    Err(error) if name == kill.sandbox => {
                        return after_death(sandbox, kill.signal, error, deadline);
                    }
                    Err(error) => return Err(error.into()),
                };
                match answers.into_iter().next() {
                    Some(Ok(reading)) if reading.value == "allowed" => Ok(Done::Judged(Verdict::Held)),
                    Some(Ok(reading)) => Ok(failed(&reading.raw)),
                    Some(Err(unobserved)) => Ok(Done::Broken(unobserved.reason)),
                    None => Ok(Done::Broken("the agent did not say whether it sent the signal".to_owned())),
                }
            }
        }
    }

    fn signal_from_host(
        &mut self,
        name: &str,
        number: i32,
        deadline: Instant,
    ) -> Result<Result<(), crate::sys::Failure>, StageError> {
        let signal = signal(number)?;
        if let Some(background) = self.background.get(name) {
            return Ok(background.process.signal(signal));
        }
        if let Some(further) = self.joined.get(name) {
            return Ok(further.signal(signal));
        }
        Ok(self.sandbox(name, deadline)?.signal(signal))
    }
}

/// Who sends a signal to itself, and dies of it, cannot say that it was sent; its death does.
fn after_death(
    sandbox: &Sandbox,
    signal: i32,
    error: ChannelError,
    deadline: Instant,
) -> Result<Done, StageError> {
    let died = error == ChannelError::Closed && sandbox.wait(deadline) == Some(Ended::Signaled(signal));
    if died { Ok(Done::Judged(Verdict::Held)) } else { Err(error.into()) }
}

/// Why nobody inside sends a signal.
const NO_SENDER: &str = "the sandbox's first process is a command, so that there is no agent inside to send the signal: \
send it with `exec: kill …`";

/// The words that are executed.
fn argv(words: &Words) -> Vec<String> {
    match words {
        Words::Shell(text) => vec!["sh".to_owned(), "-c".to_owned(), text.clone()],
        Words::Argv(words) => words.clone(),
    }
}

/// Waits for a command and judges it.
fn finish(command: &Command, process: &Process, streams: &mut Commanded, deadline: Instant) -> Done {
    let ended = streams.run(process, deadline);
    if let Some(failure) = process.failed() {
        return Done::Broken(format!("the command could not be run: {failure}"));
    }
    // What ended before it was the command says nothing of it.
    if let Err(error) = process.ready(Instant::now()) {
        return Done::Broken(format!("the command could not be run: {error}"));
    }
    if streams.flooded() {
        return Done::Failed("the command flooded its output: it wrote more than 1 MiB".to_owned());
    }
    match ended {
        None if process.is_over() => Done::Broken(NurseryError::Gone.to_string()),
        None => Done::Failed("the command had not ended when the time was up".to_owned()),
        Some(ended) => {
            let verdict = judge_command(command, ended, &text(streams.stdout()), &text(streams.stderr()));
            Done::Judged(with_stderr(verdict, ended, streams))
        }
    }
}

/// A command that failed has usually said why.
fn with_stderr(verdict: Verdict, ended: Ended, streams: &Commanded) -> Verdict {
    let said = text(streams.stderr());
    match verdict {
        Verdict::Failed(mut findings) if !said.trim().is_empty() => {
            if let Some(finding) =
                findings.first_mut().filter(|finding| finding.fact != "stderr" && finding.hint.is_none())
            {
                let end = said.trim_end().lines().next_back().unwrap_or_default();
                finding.hint = Some(format!("the command {} and said: {end}", in_words(ended)));
            }
            Verdict::Failed(findings)
        }
        other => other,
    }
}

fn text(captured: &Captured) -> String {
    String::from_utf8_lossy(&captured.bytes).into_owned()
}

/// The PID of a process as its own PID namespace sees it: the last of its `NSpid` (proc(5)).
fn inner_pid(subject: &Subject) -> Option<i32> {
    let reading = (find("nspid")?.observe)(subject, "").ok()?;
    i32::try_from(reading.value.as_array()?.last()?.as_i64()?).ok()
}
