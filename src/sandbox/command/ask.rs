//! Asking a host command something, within bounds: of time, of what is read of it, and of how long what it starts may live.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::sandbox::native::poison::VARIABLE;
use crate::sandbox::nursery::{MARK, kill_marked};
use crate::sys::{pipe, random_word};

/// How long an answer may take, unless the runtime's file says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The marks that commands were given: the run's and, where there was none yet, one of this process's own.
static MARKS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Ends what commands have left behind: podman keeps a process for each user who has asked it anything.
pub(in crate::sandbox) fn end_asked() {
    let marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for mark in &marks {
        kill_marked(mark);
    }
}

/// By it what a command leaves behind is found at the end, or by a later run.
fn mark() -> std::io::Result<String> {
    static OWN: OnceLock<String> = OnceLock::new();
    let of_run = std::env::var(VARIABLE).ok();
    let random = || random_word().map_err(|failure| std::io::Error::from_raw_os_error(failure.errno));
    let mark = match (of_run, OWN.get()) {
        (Some(tag), _) => tag,
        (None, Some(own)) => own.clone(),
        (None, None) => {
            let own = random()?;
            OWN.get_or_init(|| own).clone()
        }
    };
    MARKS.lock().unwrap_or_else(PoisonError::into_inner).insert(mark.clone());
    Ok(mark)
}

/// The longest answer, and the longest complaint that is shown.
const LONGEST: u64 = 1 << 20;
const SHOWN: usize = 400;

/// How often it is looked how much a command has written.
const LOOK: Duration = Duration::from_millis(50);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    /// The command failed, or could not be started.
    #[error("`{0}`: {1}")]
    Failed(String, String),
    /// It was killed, because it did not end.
    #[error("`{0}`: did not end within {1:?}")]
    Late(String, Duration),
    /// It was killed, because it wrote more than is kept.
    #[error("`{0}`: wrote more than 1 MiB")]
    Flooded(String),
}

/// What the command prints, if it succeeds; its complaint if it does not.
///
/// Its output goes to files, so that no child that outlives it can keep the asker waiting for the end of a pipe.
pub(super) fn ask(argv: &[String], input: Option<File>, patience: Duration) -> Result<Vec<u8>, AskError> {
    put(argv, input, patience, false)
}

/// The same of a command that only tells something of itself. What it mounts is gone with it: `firejail --version` mounts directories of its
/// own below /run, and leaves them there.
pub(super) fn ask_apart(argv: &[String], patience: Duration) -> Result<Vec<u8>, AskError> {
    put(argv, None, patience, true)
}

fn put(argv: &[String], input: Option<File>, patience: Duration, apart: bool) -> Result<Vec<u8>, AskError> {
    let failed = |reason: String| AskError::Failed(shown(argv), reason);
    let Answer { end, output, complaint } =
        run(argv, input, patience, apart).map_err(|error| failed(error.to_string()))?;
    match end {
        End::Status(status) if status.success() => Ok(output),
        End::Status(status) if complaint.is_empty() => Err(failed(status.to_string())),
        End::Status(status) => Err(failed(format!("{status}; it said: {complaint}"))),
        End::Late => Err(AskError::Late(shown(argv), patience)),
        End::Flooded => Err(AskError::Flooded(shown(argv))),
    }
}

/// The command, without a script of several lines that it is given.
fn shown(argv: &[String]) -> String {
    let whole = argv.iter().take_while(|word| !word.contains('\n')).cloned().collect::<Vec<_>>().join(" ");
    if argv.iter().any(|word| word.contains('\n')) { format!("{whole} …") } else { whole }
}

/// The start of what a command printed, as one line.
pub(super) fn start_of(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

/// How it ended, or why it was killed.
#[derive(Debug)]
enum End {
    Status(ExitStatus),
    Late,
    Flooded,
}

struct Answer {
    end: End,
    output: Vec<u8>,
    complaint: String,
}

fn run(argv: &[String], input: Option<File>, patience: Duration, apart: bool) -> std::io::Result<Answer> {
    let (program, words) = argv.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let (mut output, mut complaint) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = Command::new(program);
    command.args(words).stdin(input.map_or_else(Stdio::null, Stdio::from));
    command.stdout(output.try_clone()?).stderr(complaint.try_clone()?);
    // In a group of its own it can be ended with its children, and the terminal's signals are for the runner.
    command.process_group(0);
    crate::sys::die_with_parent(&mut command);
    if apart {
        crate::sys::mount_apart(&mut command);
    }
    command.env(MARK, mark()?);
    let mut child = command.spawn()?;
    let end = wait(&mut child, Instant::now() + patience, &[&output, &complaint])?;
    let complaint = start_of(&written(&mut complaint)?);
    Ok(Answer { end, output: written(&mut output)?, complaint })
}

/// Waits for its end by its pidfd, and kills it where that does not come, or where it would fill the disk.
fn wait(child: &mut Child, deadline: Instant, outputs: &[&File]) -> std::io::Result<End> {
    let pid = i32::try_from(child.id()).map_err(|_| std::io::ErrorKind::InvalidData)?;
    let named = rustix::process::Pid::from_raw(pid).ok_or(std::io::ErrorKind::InvalidData)?;
    let pidfd = pidfd_open(named, PidfdFlags::empty())?;
    while child.try_wait()?.is_none() {
        let floods = outputs.iter().any(|file| file.metadata().is_ok_and(|found| found.len() > LONGEST));
        if floods || Instant::now() >= deadline {
            // It has not been waited for, so that the group is still its own.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            child.kill()?;
            child.wait()?;
            return Ok(if floods { End::Flooded } else { End::Late });
        }
        // Whatever wakes it, the loop looks again.
        let _ = pipe::wait(&pidfd, PollFlags::POLLIN, deadline.min(Instant::now() + LOOK));
    }
    child.wait().map(End::Status)
}

fn written(file: &mut File) -> std::io::Result<Vec<u8>> {
    use std::io::{Seek, SeekFrom};
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Result<Vec<u8>, String> {
        ask(&["sh", "-c", script].map(str::to_owned), None, patience).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_is_what_was_printed() {
        assert_eq!(shell("echo yes; echo no >&2", PATIENCE).unwrap(), b"yes\n");
    }

    #[test]
    fn a_complaint_is_told() {
        let error = shell("echo yes; echo no >&2; exit 3", PATIENCE).unwrap_err();
        assert_eq!(error, "`sh -c echo yes; echo no >&2; exit 3`: exit status: 3; it said: no");
        let error = shell("true\nexit 3", PATIENCE).unwrap_err();
        assert_eq!(error, "`sh -c …`: exit status: 3");
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_its_children() {
        let patience = Duration::from_millis(300);
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("pids");
        let script = format!("sleep 600 & echo $! > {}; wait", list.display());
        let error = shell(&script, patience).unwrap_err();
        assert_eq!(error, format!("`sh -c {script}`: did not end within 300ms"));
        let pid = std::fs::read_to_string(list).unwrap().trim().parse().unwrap();
        assert!(ends_within(pid, PATIENCE), "{pid} was not killed");
    }

    /// Who is killed ends soon, and not at once.
    fn ends_within(pid: i32, patience: Duration) -> bool {
        match pidfd_open(rustix::process::Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            Ok(pidfd) => pipe::wait(&pidfd, PollFlags::POLLIN, Instant::now() + patience).unwrap(),
            Err(error) => error == rustix::io::Errno::SRCH,
        }
    }

    #[test]
    fn a_command_that_writes_without_end_is_ended() {
        for script in ["cat /dev/zero", "cat /dev/zero >&2"] {
            assert_eq!(
                shell(script, PATIENCE).unwrap_err(),
                format!("`sh -c {script}`: wrote more than 1 MiB")
            );
        }
    }

    #[test]
    fn what_outlives_the_command_is_not_waited_for() {
        assert!(shell("sleep 600 & echo $!; kill $!", PATIENCE).is_ok());
        let error = ask(&["no-such-program".to_owned()], None, PATIENCE).unwrap_err().to_string();
        assert!(error.starts_with("`no-such-program`: No such file"), "{error}");
    }
}
