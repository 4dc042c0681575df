//! The built-in runtime.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::blueprint::{Blueprint, IdMap, Role};
use super::breakage::Breakage;
use super::{resolve, shift};
use crate::sandbox::nursery::{Nursery, NurseryError, Process, Request, Written};
use crate::sandbox::running::{Door, Sandbox};
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::Streams;
use crate::spec::Settings;
use crate::sys::random_word;

/// Sandboxes from our own namespaces.
#[derive(Debug)]
pub struct Native;

impl Runtime for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn about(&self) -> &'static str {
        "Built in: sandboxes from namespaces of airtight's own, on this kernel."
    }

    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        resolve::check(settings)?;
        super::survey::check(settings)
    }

    fn breakages(&self, settings: &Settings, directory: &Path) -> Vec<Breakage> {
        let blueprint = resolve::resolve(settings, Path::new(""), Path::new(""), directory);
        blueprint.map_or_else(|_| Vec::new(), |blueprint| Breakage::all(&blueprint))
    }

    fn exposes_host(&self, settings: &Settings, directory: &Path, breakage: &Breakage) -> bool {
        let blueprint = resolve::resolve(settings, Path::new(""), Path::new(""), directory);
        blueprint.is_ok_and(|blueprint| breakage.exposes_host(&blueprint))
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        resolved(nursery, order, |blueprint| start(nursery, order.first, blueprint))
    }
}

/// Starts an agent in a sandbox as ordered, on streams that are someone else's.
pub(in crate::sandbox) fn start_agent_on(
    nursery: &Nursery,
    order: &Order<'_>,
    token: &str,
    streams: [i32; 3],
) -> Result<Process, StartError> {
    let role = Role::Agent { token: token.to_owned() };
    resolved(nursery, order, |blueprint| Ok(make(nursery, &written(blueprint)?, role.clone(), streams)?))
}

/// Starts what is ordered; a second time, with a copy of the image, where its file system cannot be mounted with an id map.
fn resolved<T>(
    nursery: &Nursery,
    order: &Order<'_>,
    start: impl Fn(&Blueprint) -> Result<T, StartError>,
) -> Result<T, StartError> {
    let stage = nursery.run().stage();
    let broken = order.breakage.map(|breakage| breakage.settings(order.settings));
    let settings = broken.as_ref().unwrap_or(order.settings);
    let mut blueprint = resolve::resolve(settings, order.image, &stage, order.directory)?;
    if let Some(breakage) = order.breakage {
        breakage.apply(&mut blueprint);
    }
    let copied = COPIED.lock().unwrap_or_else(PoisonError::into_inner).contains(order.image);
    if copied {
        use_copy(&mut blueprint)?;
    }
    match start(&blueprint) {
        Err(StartError::Nursery(NurseryError::Setup(failure))) if failure.call == MAPPING => {
            COPIED.lock().unwrap_or_else(PoisonError::into_inner).insert(order.image.to_owned());
            use_copy(&mut blueprint)?;
            start(&blueprint)
        }
        other => other,
    }
}

/// The call that fails where a file system cannot be mounted with an id map.
const MAPPING: &str = "mount_setattr";

/// Images on such file systems.
static COPIED: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// Takes a copy of the image in which the owners are shifted already.
fn use_copy(blueprint: &mut Blueprint) -> Result<(), StartError> {
    if let (true, IdMap::Ranges(ranges)) = (blueprint.maps_image, &blueprint.identity.map) {
        blueprint.image = shift::shifted(&blueprint.image, ranges)?;
        blueprint.maps_image = false;
    }
    Ok(())
}

fn start(nursery: &Nursery, first: First<'_>, blueprint: &Blueprint) -> Result<Sandbox, StartError> {
    match first {
        First::Agent => start_agent(nursery, written(blueprint)?),
        First::Command { argv, stdin } => start_command(nursery, written(blueprint)?, argv, stdin),
    }
}

fn written(blueprint: &Blueprint) -> Result<Written, NurseryError> {
    Written::of(blueprint).map_err(|error| NurseryError::Unexpected(error.to_string()))
}

fn start_agent(nursery: &Nursery, blueprint: Written) -> Result<Sandbox, StartError> {
    let streams = Streams::new()?;
    let token = random_word()?;
    let first = make(nursery, &blueprint, Role::Agent { token: token.clone() }, streams.inside())?;
    let (channel, stderr) = streams.into_channel(token)?;
    let (pid, channel) = (first.pid(), channel.vouched_by(Box::new(first.known()?)));
    // Its hello is waited for when it is first needed: whoever asks a question at once need not wait twice.
    Ok(Sandbox::with_agent(first, None, channel, stderr, NativeDoor::boxed(blueprint, pid)))
}

fn start_command(
    nursery: &Nursery,
    blueprint: Written,
    argv: &[String],
    stdin: &str,
) -> Result<Sandbox, StartError> {
    let streams = Streams::new()?;
    let first = make(nursery, &blueprint, Role::Command { argv: argv.to_vec() }, streams.inside())?;
    let pid = first.pid();
    Ok(Sandbox::with_command(first, streams.into_command(stdin)?, NativeDoor::boxed(blueprint, pid)))
}

fn make(
    nursery: &Nursery,
    blueprint: &Written,
    role: Role,
    streams: [i32; 3],
) -> Result<Process, NurseryError> {
    nursery.make(&Request::Native { blueprint: blueprint.clone(), role }, streams)
}

/// A further process joins the namespaces of the first, and is confined like it.
#[derive(Debug)]
pub(in crate::sandbox) struct NativeDoor {
    blueprint: Written,
    pid: i32,
}

impl NativeDoor {
    fn boxed(blueprint: Written, pid: i32) -> Box<dyn Door> {
        Box::new(Self { blueprint, pid })
    }

    /// Into a sandbox that another runtime has made.
    pub(in crate::sandbox) fn found(blueprint: &Blueprint, pid: i32) -> Result<Box<dyn Door>, NurseryError> {
        Ok(Self::boxed(written(blueprint)?, pid))
    }
}

impl Door for NativeDoor {
    fn enter(&self, nursery: &Nursery, role: &Role, streams: [i32; 3]) -> Result<Process, NurseryError> {
        let blueprint = self.blueprint.clone();
        nursery.make(&Request::Join { blueprint, pid: self.pid, role: role.clone() }, streams)
    }
}
