//! Steps: an action, and what is then expected from which viewpoint.

use crate::expect::{Argument, Expectation, IS, Matching, Span, Term};
use crate::fact::{Kind, Value};
use crate::sys::{SIGNALS, signal_named};

use super::about::EVERYWHERE;
use super::checks;
use super::decode::decode;
use super::expectations::{Frame, expectation};
use super::head::{CommandWords, KillHead, STEP_KEYS, SenderWord, StepHead};
use super::model::{Action, Command, Kill, Pace, Seen, Sender, Step, Words};
use super::problem::Notes;
use super::scope::Scope;
use super::seen::seen;
use super::suggest::one_of;
use super::tree::{Data, Entry, Node};

/// The kind of a command's exit status.
pub const EXIT: Kind = Kind::Int;
/// The kind of the signal that ended a command.
pub const SIGNAL: Kind = Kind::Word(SIGNALS);
/// The kind of what a command wrote.
pub const OUTPUT: Kind = Kind::Text;

/// The keys of what a step does.
const ACTIONS: [&str; 5] = ["run", "exec", "host.run", "kill", "join"];

/// The keys that say what is expected of a step's command.
const OF_COMMAND: [&str; 7] = ["exit", "signal", "stdout", "stderr", "stdin", "pure", "as"];

/// A step; what it names is added to the scope. `also` are further keys that may stand beside it, for "did you mean".
pub(super) fn step(node: &Node, also: &[&str], scope: &mut Scope, notes: &mut Notes) -> Option<Step> {
    if !matches!(node.data, Data::Map(_)) {
        if !node.is_wrong() {
            let found = super::tree::kind_of(node);
            let problem = notes.error(node.at, "a step must be a mapping", format!("found {found}"));
            problem.help("write `- exec: id -u`, or `- inside: { pid: 1 }`");
        }
        return None;
    }
    let (views, rest): (Vec<_>, Vec<_>) = node.entries().iter().partition(|entry| is_view(entry, scope));
    let rest = Node { at: node.at, data: Data::Map(rest.into_iter().cloned().collect()) };
    let words = scope.words();
    let also: Vec<&str> = also.iter().copied().chain(words.iter().map(String::as_str)).collect();
    let nothing =
        views.is_empty() && !rest.entries().iter().any(|entry| ACTIONS.contains(&entry.key.as_str()));
    if nothing && !node.has_wrong() {
        notes
            .error(node.at, "this step does nothing and expects nothing", "")
            .help("add an action or a viewpoint");
    }
    let head: StepHead = decode(&rest, "a step", &also, notes)?;
    let action = action(&head, &rest, scope, notes);
    declare(action.as_ref(), &rest, scope, notes);
    let seen: Vec<Seen> = views.into_iter().filter_map(|entry| view(entry, scope, notes)).collect();
    checks::restrictions(&rest, notes);
    let pace = pace(&head, &rest, notes);
    Some(Step { at: node.at, pace, action, seen })
}

/// What is expected from the viewpoints of a mapping that holds nothing else: `given`.
pub(super) fn viewpoints(entry: &Entry, scope: &Scope, notes: &mut Notes) -> Vec<Seen> {
    if entry.value.entries().is_empty() && !entry.value.is_wrong() {
        notes.error(entry.at, format!("`{}` expects nothing", entry.key), "").help("write `{ host: { … } }`");
    }
    entry.value.entries().iter().filter_map(|entry| view(entry, scope, notes)).collect()
}

fn is_view(entry: &Entry, scope: &Scope) -> bool {
    let key = &entry.key;
    let named = scope.view(key).is_some() || scope.commands.contains(key) || key.starts_with("outside ");
    named && !STEP_KEYS.contains(&key.as_str())
}

fn view(entry: &Entry, scope: &Scope, notes: &mut Notes) -> Option<Seen> {
    let Some(view) = scope.view(&entry.key) else {
        if scope.commands.contains(&entry.key) {
            let problem = notes.error(
                entry.at,
                format!("`{}` is a command and cannot say what it sees", entry.key),
                "",
            );
            problem.help(format!("look at it from the host: `outside {}`", entry.key));
            return None;
        }
        let words = scope.words();
        let help = one_of(&entry.key, words.iter().map(String::as_str).collect::<Vec<_>>());
        notes.error(entry.at, format!("unknown viewpoint `{}`", entry.key), "").help(help);
        return None;
    };
    seen(entry, view, scope, notes)
}

fn pace(head: &StepHead, node: &Node, notes: &mut Notes) -> Pace {
    match (head.within, head.stays) {
        (Some(_), Some(_)) => {
            let at = key_at(node, "stays");
            let problem = notes.error(at, "a step has either `within` or `stays`", "");
            problem.help("make two steps: one that waits, one that watches");
            Pace::Now
        }
        (Some(span), None) => Pace::Within(span.0),
        (None, Some(span)) => Pace::Stays(span.0),
        (None, None) => Pace::Now,
    }
}

fn action(head: &StepHead, node: &Node, scope: &Scope, notes: &mut Notes) -> Option<Action> {
    let present = ACTIONS.into_iter().filter(|key| node.entry(key).is_some());
    let present: Vec<_> = present.collect();
    if let [first, second, ..] = present.as_slice() {
        let problem = notes.error(
            key_at(node, second),
            format!("a step does one thing, but has `{first}` and `{second}`"),
            "",
        );
        problem.help("make `steps` of them, in order");
    }
    let is_command = head.run.is_some() || head.exec.is_some() || head.host_run.is_some();
    if !is_command {
        refuse_command_keys(node, notes);
    }
    if let (true, Some(entry)) = (present.is_empty(), node.entry("in")) {
        let problem = notes.error(entry.at, "`in` belongs to an action, and there is none", "");
        problem.help("a sandbox's name is a viewpoint: write it in the place of `inside`");
    }
    if let Some(words) = &head.run {
        command(words, head, node, scope, notes).map(Action::Run)
    } else if let Some(words) = &head.exec {
        command(words, head, node, scope, notes).map(Action::Exec)
    } else if let Some(words) = &head.host_run {
        command(words, head, node, scope, notes).map(Action::HostRun)
    } else if let Some(kill) = &head.kill {
        send(kill, node, scope, notes).map(Action::Kill)
    } else {
        let name = head.join.clone()?;
        Some(Action::Join { name, sandbox: sandbox(head.sandbox.as_deref(), node, scope, notes) })
    }
}

/// `exit`, `stdout` and so on without a command would be expectations that nobody holds against anything.
fn refuse_command_keys(node: &Node, notes: &mut Notes) {
    let of_command = |entry: &&Entry| OF_COMMAND.contains(&entry.key.as_str());
    for entry in node.entries().iter().filter(of_command) {
        let problem =
            notes.error(entry.at, format!("`{}` belongs to a command, and there is none", entry.key), "");
        problem.help("add `run`, `exec` or `host.run` to the step");
    }
}

fn command(
    words: &CommandWords,
    head: &StepHead,
    node: &Node,
    scope: &Scope,
    notes: &mut Notes,
) -> Option<Command> {
    let words = words_of(words, node, notes)?;
    let background = head.name.is_some();
    if background {
        refuse_background_keys(node, notes);
    }
    let given = |key: &str, kind: &Kind, notes: &mut Notes| of_command(key, kind, node, scope, notes);
    let (exit, signal) = (given("exit", &EXIT, notes), given("signal", &SIGNAL, notes));
    let (stdout, stderr) = (given("stdout", &OUTPUT, notes), given("stderr", &OUTPUT, notes));
    let by_default = !background && node.entry("exit").is_none() && node.entry("signal").is_none();
    let exit = if by_default { Some(zero(key_of_action(node))) } else { exit };
    let (pure, stdin) = (head.pure.unwrap_or(false), head.stdin.clone().unwrap_or_default());
    let sandbox = sandbox(head.sandbox.as_deref(), node, scope, notes);
    Some(Command { words, sandbox, name: head.name.clone(), pure, stdin, exit, signal, stdout, stderr })
}

fn words_of(words: &CommandWords, node: &Node, notes: &mut Notes) -> Option<Words> {
    let (empty, words) = match words {
        CommandWords::Shell(text) => (text.trim().is_empty(), Words::Shell(text.clone())),
        CommandWords::Argv(words) => (words.is_empty(), Words::Argv(words.clone())),
    };
    if empty {
        notes
            .error(key_of_action(node), "the command is empty", "")
            .help("write a command, or a list of words");
    }
    (!empty).then_some(words)
}

fn refuse_background_keys(node: &Node, notes: &mut Notes) {
    for entry in node
        .entries()
        .iter()
        .filter(|entry| ["exit", "signal", "stdout", "stderr"].contains(&entry.key.as_str()))
    {
        let message = format!("`{}` does not go with `as`: the command is left running", entry.key);
        notes.error(entry.at, message, "").help("leave `as` out to wait for its end");
    }
    if let Some(entry) = node.entry("as").filter(|_| node.entry("exec").is_none()) {
        notes
            .error(entry.at, "`as` belongs to `exec`", "")
            .help("only a further process in a sandbox can be left running");
    }
}

fn of_command(key: &str, kind: &Kind, node: &Node, scope: &Scope, notes: &mut Notes) -> Option<Expectation> {
    let entry = node.entry(key)?;
    let frame = Frame { what: key, view: None, views: EVERYWHERE, scope, element: false };
    expectation(&entry.value, kind, &frame, notes)
}

/// The status that is expected where the spec says nothing.
fn zero(at: Span) -> Expectation {
    let matching = Matching { matcher: &IS, argument: Argument::Value(Value::from(0)), at };
    Expectation { at, terms: vec![Term::Match(matching)] }
}

fn send(kill: &KillHead, node: &Node, scope: &Scope, notes: &mut Notes) -> Option<Kill> {
    let inner = &node.entry("kill")?.value;
    let known = scope.agents.iter().chain(&scope.commands).map(String::as_str);
    let known: Vec<&str> = std::iter::once("first").chain(known).collect();
    if !known.contains(&kill.process.as_str()) {
        let help = one_of(&kill.process, known);
        notes.error(value_at(inner, "process"), format!("unknown process `{}`", kill.process), "").help(help);
    }
    let Some(signal) = signal_named(&kill.signal) else {
        let help = super::suggest::signal(&kill.signal);
        notes.error(value_at(inner, "signal"), format!("unknown signal `{}`", kill.signal), "").help(help);
        return None;
    };
    let from = match kill.from {
        SenderWord::Host => Sender::Host,
        SenderWord::Inside => Sender::Inside,
        SenderWord::Runtime => Sender::Runtime,
    };
    if from == Sender::Runtime && kill.process != "first" {
        let message = "a runtime's command signals the first process of its sandbox, and no other";
        notes
            .error(value_at(inner, "process"), message, "")
            .help("write `first`, or another sender".to_owned());
    }
    let named = kill.sandbox.as_deref();
    let sandbox = sandbox(named, if named.is_some() { inner } else { node }, scope, notes);
    Some(Kill { process: kill.process.clone(), sandbox, from, signal })
}

/// The sandbox that `in` names; the first by default.
fn sandbox(named: Option<&str>, node: &Node, scope: &Scope, notes: &mut Notes) -> String {
    let Some(name) = named else { return scope.first().to_owned() };
    if !scope.sandboxes.iter().any(|known| known == name) {
        let known: Vec<_> = scope.sandboxes.iter().map(String::as_str).collect();
        notes.error(value_at(node, "in"), format!("unknown sandbox `{name}`"), "").help(one_of(name, known));
    }
    name.to_owned()
}

/// Adds what the step names to the scope.
fn declare(action: Option<&Action>, node: &Node, scope: &mut Scope, notes: &mut Notes) {
    let (key, name) = match action {
        Some(Action::Exec(Command { name: Some(name), .. })) => ("as", name),
        Some(Action::Join { name, .. }) => ("join", name),
        _ => return,
    };
    let reserved =
        ["inside", "outside", "host", "first"].contains(&name.as_str()) || STEP_KEYS.contains(&name.as_str());
    if reserved || scope.has(name) || name.trim().is_empty() || name.contains(' ') {
        let problem = notes.error(value_at(node, key), format!("the name `{name}` cannot be given"), "");
        problem.help(if scope.has(name) {
            "it is taken: choose another"
        } else {
            "choose a single word of your own"
        });
        return;
    }
    let names = if key == "as" { &mut scope.commands } else { &mut scope.agents };
    names.push(name.clone());
}

fn key_at(node: &Node, key: &str) -> Span {
    node.entry(key).map_or(node.at, |entry| entry.at)
}

fn value_at(node: &Node, key: &str) -> Span {
    node.entry(key).map_or(node.at, |entry| entry.value.at)
}

fn key_of_action(node: &Node) -> Span {
    let key = ["run", "exec", "host.run"].into_iter().find(|key| node.entry(key).is_some());
    key.map_or(node.at, |key| key_at(node, key))
}
