//! The agent's loop: hello, then a reply to each request, until its input ends.
//!
//! The loop has one thread and starts no process, so that what it measures and tries is true of this very process.
//!
//! SIGPIPE has its default action, as a program started by a shell has it: when the host is gone, the next write ends the
//! agent (the first process of a PID namespace gets EPIPE instead, and ends by that).

use std::io::{BufReader, Read, Write};

use serde_json::Value;

use super::line::{REQUEST_CAP, read_line};
use super::protocol::{Ask, Hello, Reply, Request};
use crate::fact::{Answer, Outcome, Query, Reading, Subject, Unobserved, find, find_attempt};
use crate::sys::{errno_name, signals};

/// Says hello on `output`, then answers the requests on `input` until that ends. An error is a stream that failed, or a
/// request line that is too long or cut; a line that is not a request is answered with the reason, under an empty nonce.
///
/// The process must be single-threaded. As the first process of a PID namespace it reaps the orphans that fall to it, if it `reaps` at
/// all: one that is broken on purpose does not.
pub fn serve(token: &str, reaps: bool, input: impl Read, mut output: impl Write) -> std::io::Result<()> {
    signals::default_sigpipe().map_err(std::io::Error::other)?;
    let pid = nix::unistd::getpid().as_raw();
    if pid == 1 && reaps {
        signals::reap_orphans().map_err(std::io::Error::other)?;
    }
    send(&mut output, &Hello { token: token.to_owned(), pid })?;
    let mut input = BufReader::new(input);
    while let Some(line) = read_line(&mut input, REQUEST_CAP)? {
        send(&mut output, &reply(&line))?;
    }
    Ok(())
}

/// One line in one write, so that what others write to the stream falls between lines.
fn send(output: &mut impl Write, message: &impl serde::Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

fn reply(line: &[u8]) -> Reply {
    match serde_json::from_slice::<Request>(line) {
        Ok(request) => Reply { nonce: request.nonce, answers: answers(&request.ask) },
        Err(error) => {
            let reason = Unobserved::because(format!("the agent was sent what is no request: {error}"));
            Reply { nonce: String::new(), answers: vec![Err(reason)] }
        }
    }
}

fn answers(ask: &Ask) -> Vec<Answer> {
    match ask {
        Ask::Observe(queries) => queries.iter().map(observe).collect(),
        Ask::Attempt(query) => vec![attempt(query)],
        Ask::Kill { pid, signal } => vec![kill(*pid, *signal)],
    }
}

fn observe(query: &Query) -> Answer {
    let unknown = || Unobserved::because(format!("this agent knows no fact `{}`", query.fact));
    let fact = find(&query.fact).ok_or_else(unknown)?;
    (fact.observe)(&Subject::oneself(), &query.argument)
}

fn attempt(query: &Query) -> Answer {
    let unknown = || Unobserved::because(format!("this agent knows no attempt `{}`", query.fact));
    let verb = query.fact.strip_prefix("attempts.").ok_or_else(unknown)?;
    let attempt = find_attempt(verb).ok_or_else(unknown)?;
    (attempt.check)(&query.argument).map_err(Unobserved::because)?;
    (attempt.attempt)(&query.argument)
}

fn kill(pid: i32, signal: i32) -> Answer {
    let outcome = signals::kill(pid, signal).map_or_else(
        |failure| (Outcome::Failed(errno_name(failure.errno)), failure.to_string()),
        |()| (Outcome::Allowed, format!("kill({pid}, {signal}) succeeded")),
    );
    let value: Value = serde_json::to_value(outcome.0).map_err(Unobserved::because)?;
    Ok(Reading { value, raw: outcome.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_answered_under_its_nonce() {
        let check = |line: &str, nonce: &str, count: usize| {
            let reply = reply(line.as_bytes());
            assert_eq!((reply.nonce.as_str(), reply.answers.len()), (nonce, count), "{line}");
        };
        check(r#"{"nonce":"a","ask":{"observe":[{"fact":"pid","argument":""}]}}"#, "a", 1);
        check(r#"{"nonce":"b","ask":{"observe":[]}}"#, "b", 0);
        check(r#"{"nonce":"c","ask":{"attempt":{"fact":"attempts.no","argument":""}}}"#, "c", 1);
        check(r#"{"nonce":"d","ask":{"kill":{"pid":1,"signal":0}}}"#, "d", 1);
        check(r#"{"nonce":"e","ask":{"fly":[]}}"#, "", 1);
        check("hello", "", 1);
    }

    #[test]
    fn what_is_not_known_is_unobserved() {
        let check = |fact: &str, expected: &str| {
            let query = Query { fact: fact.to_owned(), argument: String::new() };
            assert_eq!(observe(&query).unwrap_err().reason, expected);
        };
        check("moon", "this agent knows no fact `moon`");
        check("attempts.open", "this agent knows no fact `attempts.open`");
    }

    #[test]
    fn a_signal_that_cannot_be_sent_has_its_errno() {
        // 2^22 is PID_MAX_LIMIT (include/linux/threads.h): no process has this PID.
        assert_eq!(kill(1 << 22, 0).unwrap().value, serde_json::json!({ "failed": "ESRCH" }));
        assert_eq!(kill(nix::unistd::getpid().as_raw(), 0).unwrap().value, serde_json::json!("allowed"));
    }
}
