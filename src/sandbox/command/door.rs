//! The way into a sandbox that a runtime has made.

use std::sync::Arc;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::bundle;
use super::definition::{Definition, Rootfs};
use super::deletion::Deletion;
use super::found::{self, Found, Sought};
use super::luggage::luggage;
use super::report::Asking;
use super::words::{Values, Word, fill};
use crate::fact::Reporter;
use crate::sandbox::native::{Blueprint, Confinement, IdMap, Identity, NativeDoor, Role};
use crate::sandbox::nursery::{Launch, Nursery, NurseryError, Part, Process, Request};
use crate::sandbox::running::{Door, Trial};
use crate::sandbox::runtime::StartError;
use crate::sandbox::vouch::Brought;
use crate::spec::Namespace;
use crate::sys::{CAPABILITIES, random_word};

/// The runtime's own way, `runc exec`; or, if it has none, into the namespaces and the root of the process that was found.
pub(super) fn door(
    definition: &Definition,
    values: Values,
    part: Part,
    trial: &Arc<Trial>,
    runtime: &Process,
    agent: Option<&Found>,
) -> Result<Box<dyn Door>, StartError> {
    let deletion = Deletion::of(definition, &values)?;
    let Some(words) = definition.exec.clone() else {
        let inner = agent.map_or_else(
            || Ok(Box::new(Unentered) as _),
            |agent| NativeDoor::found(&as_found(agent.pid), agent.pid),
        )?;
        return Ok(Box::new(Deleting { inner, deletion }));
    };
    // What a daemon keeps is the same in every mount namespace.
    let beside = (definition.rootfs != Rootfs::Imported).then(|| runtime.pid());
    let asking = Arc::new(Asking {
        forms: definition.reports.clone(),
        kill: definition.kill.clone(),
        values: values.clone(),
        beside,
        patience: definition.patience(),
    });
    let brought = brought(definition)?;
    let first = agent.map(|agent| agent.pid);
    let trial = Arc::clone(trial);
    Ok(Box::new(OwnDoor { words, values, beside, first, part, brought, deletion, trial, asking }))
}

/// What an agent that this runtime starts runs.
pub(super) fn brought(definition: &Definition) -> Result<Brought, StartError> {
    if definition.takes_agent() { Ok(luggage()?.brought) } else { Ok(bundle::own_program()?.brought) }
}

/// The runtime's own command line for a further process.
#[derive(Debug)]
struct OwnDoor {
    words: Vec<Word>,
    values: Values,
    /// The process of the runtime that runs the first one: what it keeps of its sandbox is in that one's mount namespace.
    beside: Option<i32>,
    /// The agent that is the sandbox's first process, if one is.
    first: Option<i32>,
    /// What its further processes are a part of.
    part: Part,
    brought: Brought,
    deletion: Deletion,
    trial: Arc<Trial>,
    asking: Arc<Asking>,
}

impl Door for OwnDoor {
    fn enter(&self, nursery: &Nursery, role: &Role, streams: [i32; 3]) -> Result<Process, NurseryError> {
        let command = match role {
            Role::Command { argv } => argv.clone(),
            Role::Agent { token } => {
                bundle::words(token).map_err(|error| NurseryError::Unexpected(error.to_string()))?
            }
        };
        let name = random_word().map_err(NurseryError::System)?;
        let values = self.values.clone().with("exec", name).with_words("command", command);
        let argv = fill(&self.words, &values).map_err(|cannot| NurseryError::Unexpected(cannot.reason))?;
        let part = self.part.clone();
        let launch = Launch { argv, root: None, beside: self.beside, poisoned: false, part };
        nursery.make(&Request::Launch(launch), streams)
    }

    fn find(&self, token: &str, reported: i32, deadline: Instant) -> Result<Option<Found>, StartError> {
        let found =
            found::agent(&Sought { token, reported, brought: Some(&self.brought), root: None }, deadline)?;
        self.first.map_or(Ok(()), |first| found::is_beside(&found, first))?;
        Ok(Some(found))
    }

    fn is_indirect(&self) -> bool {
        true
    }

    /// Where the first process is a command there is nothing to be held against.
    fn trial(&self) -> Option<&Trial> {
        self.first.map(|_| &*self.trial)
    }

    fn reporter(&self) -> Option<Arc<dyn Reporter>> {
        Some(Arc::clone(&self.asking) as _)
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        self.asking.signal(signal)
    }

    fn closes_apart(&self) -> bool {
        self.deletion.is_apart()
    }

    fn close(&self, by_itself: bool) {
        self.deletion.perform(by_itself);
    }
}

/// A door past the runtime, which is to put away what it keeps nevertheless.
#[derive(Debug)]
struct Deleting {
    inner: Box<dyn Door>,
    deletion: Deletion,
}

impl Door for Deleting {
    fn enter(&self, nursery: &Nursery, role: &Role, streams: [i32; 3]) -> Result<Process, NurseryError> {
        self.inner.enter(nursery, role, streams)
    }

    fn closes_apart(&self) -> bool {
        self.deletion.is_apart()
    }

    fn close(&self, by_itself: bool) {
        self.deletion.perform(by_itself);
    }
}

/// What must be joined to be where the found process is: the namespaces that it does not share with the runner, and its
/// root. It is confined by nothing else.
fn as_found(pid: i32) -> Blueprint {
    let link = |process: &str, namespace: Namespace| {
        let name = if namespace == Namespace::Mount { "mnt" } else { namespace.name() };
        std::fs::read_link(format!("/proc/{process}/ns/{name}")).ok()
    };
    let differs = |namespace: &Namespace| link("self", *namespace) != link(&pid.to_string(), *namespace);
    let namespaces: Vec<Namespace> = Namespace::ALL.into_iter().filter(differs).collect();
    Blueprint {
        identity: if namespaces.contains(&Namespace::User) { identity_in(pid) } else { Identity::default() },
        namespaces,
        confinement: Confinement {
            capabilities: (0..).zip(CAPABILITIES).map(|(number, _)| number).collect(),
            ..Confinement::default()
        },
        chrooted: true,
        ..Blueprint::bare()
    }
}

/// The root of the process's user namespace, or the first who is mapped there if it has none. Where setgroups(2) is denied, as an ordinary
/// user's namespace must have it (`user_namespaces(7)`), the groups stay as they are.
fn identity_in(pid: i32) -> Identity {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (users, groups) = (ranges(&read("uid_map")), ranges(&read("gid_map")));
    let first = |ranges: &[(u32, u32, u32)]| ranges.iter().map(|range| range.0).min().unwrap_or_default();
    let (uid, gid) = (first(&users), first(&groups));
    let denied = read("setgroups").trim_end() == "deny";
    let map = if denied { IdMap::Own { uid, gid } } else { IdMap::Subordinate { users, groups } };
    Identity { uid, gid, map }
}

/// Of a `/proc/PID/uid_map`.
fn ranges(text: &str) -> Vec<(u32, u32, u32)> {
    let range = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map_while(|word| word.parse().ok());
        Some((numbers.next()?, numbers.next()?, numbers.next()?))
    };
    text.lines().filter_map(range).collect()
}

/// The door of a sandbox whose first process is a command: it is not found, so nothing enters.
#[derive(Debug)]
pub(super) struct Unentered;

impl Door for Unentered {
    fn enter(&self, _: &Nursery, _: &Role, _: [i32; 3]) -> Result<Process, NurseryError> {
        Err(NurseryError::Unexpected(
            "a sandbox whose first process is a command has no agent to find it by".to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_maps_are_read_as_the_kernel_writes_them() {
        let check = |text: &str, expected: &[(u32, u32, u32)]| assert_eq!(ranges(text), expected, "{text:?}");
        check("         0     100000      65536\n", &[(0, 100_000, 65_536)]);
        check("0 0 1\n 70000 7 2\n", &[(0, 0, 1), (70_000, 7, 2)]);
        check("", &[]);
    }
}
