//! Asking a runtime something on the host: a command that prints its answer, within bounds.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::sys::pipe;

/// How long an answer may take. A daemon may have to unpack an image first.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer, and the longest complaint that is shown.
const LONGEST: u64 = 1 << 20;
const SHOWN: usize = 400;

/// What the command prints, if it succeeds; its complaint if it does not.
///
/// Its output goes to files, so that no child that outlives it can keep the asker waiting for the end of a pipe.
pub(super) fn ask(argv: &[String], input: Option<File>) -> Result<Vec<u8>, String> {
    let failed = |reason: String| format!("`{}`: {reason}", argv.join(" "));
    run(argv, input).map_err(|error| failed(error.to_string())).and_then(|answer| match answer {
        Answer { status: Some(status), output, .. } if status.success() => Ok(output),
        Answer { status: Some(status), complaint, .. } => Err(failed(format!("{status}; it said: {complaint}"))),
        Answer { status: None, .. } => Err(failed(format!("did not end within {} s", PATIENCE.as_secs()))),
    })
}

struct Answer {
    /// None: it was killed because it did not end.
    status: Option<ExitStatus>,
    output: Vec<u8>,
    complaint: String,
}

fn run(argv: &[String], input: Option<File>) -> std::io::Result<Answer> {
    let (program, words) = argv.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let (mut output, mut complaint) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = Command::new(program);
    command.args(words).stdin(input.map_or_else(Stdio::null, Stdio::from));
    command.stdout(output.try_clone()?).stderr(complaint.try_clone()?);
    let mut child = command.spawn()?;
    let status = wait(&mut child)?;
    let complaint = String::from_utf8_lossy(&written(&mut complaint)?).trim_end().to_owned();
    let complaint = complaint.chars().take(SHOWN).collect();
    Ok(Answer { status, output: written(&mut output)?, complaint })
}

/// Waits for its end by its pidfd, and kills it where that does not come.
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + PATIENCE;
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let pidfd = pidfd_open(pid.ok_or(std::io::ErrorKind::InvalidData)?, PidfdFlags::empty())?;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        // Whatever wakes it, the loop looks again.
        let _ = pipe::wait(&pidfd, PollFlags::POLLIN, deadline);
    }
    child.wait().map(Some)
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
    use super::ask;

    fn shell(script: &str) -> Result<Vec<u8>, String> {
        ask(&["sh", "-c", script].map(str::to_owned), None)
    }

    #[test]
    fn an_answer_is_what_was_printed() {
        assert_eq!(shell("echo yes; echo no >&2").unwrap(), b"yes\n");
    }

    #[test]
    fn a_complaint_is_told() {
        let error = shell("echo yes; echo no >&2; exit 3").unwrap_err();
        assert_eq!(error, "`sh -c echo yes; echo no >&2; exit 3`: exit status: 3; it said: no");
    }

    #[test]
    fn what_outlives_the_command_is_not_waited_for() {
        assert_eq!(shell("sleep 600 & echo $!; kill $!").is_ok(), true);
        let error = ask(&["no-such-program".to_owned()], None).unwrap_err();
        assert!(error.starts_with("`no-such-program`: No such file"), "{error}");
    }
}
