//! The agent over its streams, as an executed program; and a host that trusts nothing that comes from them.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use airtight::agent::protocol::Ask;
use airtight::agent::{Channel, ChannelError};
use airtight::fact::{Answer, Query};
use serde_json::{Value, json};

/// Root in a user namespace, with every other namespace: works for root and, where the kernel lets it, for others.
pub(crate) const ROOT: &[&str] = &[
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation=private",
];

/// A started agent, or what stands in its place.
pub(crate) struct Started {
    /// Waited for at the end.
    pub(crate) child: Child,
    /// The host's side.
    pub(crate) channel: Channel,
}

/// Long enough for a busy machine; no test waits for it unless it fails.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Starts a command whose streams are a channel with the token `t0k`.
pub(crate) fn start(command: &mut Command) -> Started {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = OwnedFd::from(child.stdin.take().unwrap());
    let output = OwnedFd::from(child.stdout.take().unwrap());
    Started { child, channel: Channel::new(input, output, "t0k").unwrap() }
}

/// Starts the agent behind the words of a launcher, `unshare …`.
pub(crate) fn agent(launcher: &[&str]) -> Started {
    let words = [launcher, &[env!("CARGO_BIN_EXE_airtight"), "airtight-agent", "t0k"]].concat();
    start(Command::new(words[0]).args(&words[1..]))
}

pub(crate) fn query(fact: &str, argument: &str) -> Query {
    Query { fact: fact.to_owned(), argument: argument.to_owned() }
}

impl Started {
    /// One fact's value.
    pub(crate) fn value(&mut self, fact: &str, argument: &str) -> Result<Value, String> {
        let answers = self.channel.ask(&Ask::Observe(vec![query(fact, argument)]), soon()).unwrap();
        value(answers)
    }

    /// One attempt's outcome.
    pub(crate) fn attempt(&mut self, verb: &str, object: &str) -> Result<Value, String> {
        let ask = Ask::Attempt(query(&format!("attempts.{verb}"), object));
        value(self.channel.ask(&ask, soon()).unwrap())
    }

    /// Closes the streams and returns the exit status.
    pub(crate) fn end(self) -> Option<i32> {
        let Self { mut child, channel } = self;
        drop(channel);
        child.wait().unwrap().code()
    }
}

fn value(answers: Vec<Answer>) -> Result<Value, String> {
    let [answer] = <[Answer; 1]>::try_from(answers).unwrap();
    answer.map(|reading| reading.value).map_err(|unobserved| unobserved.reason)
}

#[test]
fn an_agent_says_hello_answers_and_ends_with_its_input() {
    let mut started = agent(&[]);
    let hello = started.channel.hello(soon()).unwrap();
    assert_eq!(u32::try_from(hello.pid).unwrap(), started.child.id());
    assert_eq!(started.value("pid", "").unwrap(), json!(hello.pid));
    assert_eq!(started.value("uname", "").unwrap()["sysname"], json!("Linux"));
    let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
    assert_eq!(started.value("namespaces", "").unwrap()["pid"], json!(own.to_str().unwrap()));
    assert_eq!(started.end(), Some(0));
}

#[test]
fn many_questions_are_answered_in_order() {
    let mut started = agent(&[]);
    started.channel.hello(soon()).unwrap();
    let names = ["pid", "no such fact", "uname", "pid"];
    let queries = names.iter().map(|name| query(name, "")).collect();
    let answers = started.channel.ask(&Ask::Observe(queries), soon()).unwrap();
    let held: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(held, [true, false, true, true]);
    assert_eq!(started.end(), Some(0));
}

#[test]
fn what_stands_in_the_agents_place_is_told_from_it() {
    let check = |script: &str, expected: &str| {
        let mut started = start(Command::new("sh").args(["-c", script]));
        let error = started.channel.hello(soon()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{script}: {error}");
        started.end();
    };
    check("exit 0", "the agent closed its streams without an answer");
    check("echo hello", "answered garbage in the agent's place: hello");
    check("printf '{\"token\":'", "the agent's answer was cut after 9 bytes: {\\\"token\\\":");
    check("printf '\\377\\000\\n'", "answered garbage in the agent's place: \\xff\\x00");
    check("echo '{\"token\":\"other\",\"pid\":1}'", "another agent answered: its token is \"other\"");
    check("exec cat /dev/zero", "what came in the agent's place is longer than 16777216 bytes: \\x00");
}

#[test]
fn silence_ends_with_the_deadline() {
    let mut started = start(Command::new("cat").arg("-"));
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(started.channel.hello(deadline), Err(ChannelError::Late(String::new())));
    started.end();
}

#[test]
fn a_reply_must_be_the_one_that_was_asked_for() {
    let check = |reply: &str, expected: &str| {
        let script = format!(r#"echo '{{"token":"t0k","pid":7}}'; read line; printf '%s\n' '{reply}'"#);
        let mut started = start(Command::new("sh").args(["-c", &script]));
        assert_eq!(started.channel.hello(soon()).unwrap().pid, 7);
        let error = started.channel.ask(&Ask::Observe(vec![query("pid", "")]), soon()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        started.end();
    };
    check(r#"{"nonce":"1234","answers":[]}"#, "the agent answered another request: 1234");
    check(r#"{"nonce":"1234"}"#, r#"answered garbage in the agent's place: {\"nonce\":\"1234\"}"#);
}

#[test]
fn a_reply_must_have_an_answer_for_each_question() {
    // The stand-in repeats the nonce that it was sent, and gives no answers.
    let script = r#"echo '{"token":"t0k","pid":7}'; read -r line; nonce=${line#*nonce\":\"}; nonce=${nonce%%\"*}
        printf '{"nonce":"%s","answers":[]}\n' "$nonce""#;
    let mut started = start(Command::new("sh").args(["-c", script]));
    started.channel.hello(soon()).unwrap();
    let error = started.channel.ask(&Ask::Observe(vec![query("pid", "")]), soon()).unwrap_err();
    assert_eq!(error, ChannelError::WrongCount { asked: 1, got: 0 });
    started.end();
}

#[test]
fn an_agent_says_what_is_wrong_with_its_input() {
    let check = |script: &str, expected: &str| {
        let command = format!("{script} | {} airtight-agent t0k", env!("CARGO_BIN_EXE_airtight"));
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains(expected), "{said}");
    };
    check("echo nonsense", "the agent was sent what is no request");
    check("printf cut", "the stream ended within a line");
    check("head -c 1048577 /dev/zero", "a line is longer than 1048576 bytes");
}
