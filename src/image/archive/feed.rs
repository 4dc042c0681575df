//! Starts the confined unpacker and feeds it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};

use sha2::{Digest as _, Sha256};

use crate::image::digest::hex;
use crate::image::report::Report;
use crate::image::unpack::{Done, Line, Order, WORD};

/// The longest answer: the notes of a million entries would not fit, and nobody would read them.
const ANSWER: u64 = 64 << 20;

/// Unpacks what `stream` holds, as the order says. Also returns the SHA-256 of the stream as it was read.
///
/// # Errors
/// A sentence, with the entry's name where there is one.
pub(in super::super) fn feed(
    mut stream: impl Read,
    order: &Order,
    report: &mut Report,
) -> Result<(Done, String), String> {
    let order = serde_json::to_string(order).map_err(|error| error.to_string())?;
    let mut command = crate::role::command(WORD)?;
    command.arg(order).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("the unpacker cannot be started: {error}"))?;
    let output = child.stdout.take();
    std::thread::scope(|scope| {
        let answer = std::thread::Builder::new()
            .spawn_scoped(scope, || output.map_or(Ok((Vec::new(), None)), read))
            .map_err(|error| without_reader(&mut child, &error))?;
        let sent = send(&mut stream, &mut child);
        let answer = answer.join().map_err(|_| "the reader of the unpacker's answer panicked".to_owned());
        let status = child.wait().map_err(|error| error.to_string())?;
        let (missing, last) = answer??;
        report.missing.extend(missing);
        match (last, sent) {
            // Why the unpacker stopped reading says more than that it did.
            (Some(Line::Refused(why)), _) | (_, Err(why)) => Err(why),
            (Some(Line::Done(done)), Ok(digest)) => Ok((done, digest)),
            _ => Err(format!("the unpacker ended without an answer: {status}")),
        }
    })
}

/// Nobody would hear the unpacker: it is ended.
fn without_reader(child: &mut Child, error: &std::io::Error) -> String {
    // Both fail only for a process that is gone.
    let _ = child.kill();
    let _ = child.wait();
    format!("no thread can be started for the unpacker's answer: {error}")
}

/// Sends all of it, and closes the pipe. An unpacker that reads no further has a reason, which it tells.
fn send(stream: &mut impl Read, child: &mut Child) -> Result<String, String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let Some(mut pipe) = child.stdin.take() else {
        return Err("the unpacker has no standard input".to_owned());
    };
    loop {
        let read = stream.read(&mut buffer).map_err(|error| error.to_string())?;
        hash.update(&buffer[..read]);
        if read == 0 || pipe.write_all(&buffer[..read]).is_err() {
            return Ok(hex(hash));
        }
    }
}

type Answer = (Vec<crate::image::Missing>, Option<Line>);

fn read(output: ChildStdout) -> Result<Answer, String> {
    let mut answer: Answer = (Vec::new(), None);
    for line in BufReader::new(output.take(ANSWER)).lines() {
        let line = line.map_err(|error| format!("the unpacker's answer cannot be read: {error}"))?;
        match serde_json::from_str(&line)
            .map_err(|error| format!("the unpacker's answer cannot be read: {error}"))?
        {
            Line::Missing(missing) => answer.0.push(missing),
            last => answer.1 = Some(last),
        }
    }
    Ok(answer)
}
