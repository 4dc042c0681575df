//! A runtime that is a command line, as its file describes it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use serde_json::Value;

use super::ask::ask;
use super::bundle;
use super::definition::{Definition, Need, Rootfs};
use super::door;
use super::engine;
use super::found;
use super::ids::{id_map, root_of};
use super::luggage::luggage;
use super::manual::manual;
use super::oci::Bundle;
use super::report::Asking;
use super::spell::{Spelled, spell};
use super::words::{Values, Word, fill};
use crate::fact::Reporter as _;
use crate::sandbox::launcher::STATE;
use crate::sandbox::native::{Breakage, root::ROOT, shifted};
use crate::sandbox::nursery::{HostView, Launch, Nursery, NurseryError, PreparedRoot, Process, Request};
use crate::sandbox::program;
use crate::sandbox::running::Sandbox;
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::{Streams, drain};
use crate::spec::{IdRange, Launcher, Profile, Settings};
use crate::sys::random_word;

/// How long a runtime that did not start its sandbox may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a bundle lies on the stage.
const BUNDLE: &str = "bundle";

/// A runtime that is a command line.
#[derive(Debug)]
pub(in crate::sandbox) struct CommandLine {
    name: &'static str,
    definition: Definition,
    /// The `config.json` that it makes by itself, or why it makes none.
    config: OnceLock<Result<Value, String>>,
    /// Whether its daemon answers, if it has one.
    ready: OnceLock<Result<(), Cannot>>,
    /// Whether what earlier runs left with it has been removed.
    swept: OnceLock<()>,
}

impl CommandLine {
    pub(super) fn new(definition: Definition) -> Self {
        let name = Box::leak(definition.runtime.0.clone().into_boxed_str());
        Self { name, definition, config: OnceLock::new(), ready: OnceLock::new(), swept: OnceLock::new() }
    }
}

impl Runtime for CommandLine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &str {
        &self.definition.about
    }

    fn version(&self) -> Result<String, String> {
        let version = &self.definition.version;
        let place = Place::new(Path::new("/"), "airtight");
        let argv = fill(&version.run, &self.values(&place)).map_err(|cannot| cannot.reason)?;
        let said = ask(&argv, None)?;
        let said = String::from_utf8_lossy(&said);
        let found = version.matches.0.captures(&said).and_then(|found| found.get(1));
        let unknown = || format!("`{}` printed no version", argv.join(" "));
        found.map(|found| found.as_str().to_owned()).ok_or_else(unknown)
    }

    fn manual(&self) -> String {
        manual(&self.definition)
    }

    fn clean(&self) -> Result<Vec<String>, String> {
        let Some(store) = self.definition.image.as_ref().filter(|_| self.is_there().is_ok()) else {
            return Ok(Vec::new());
        };
        let values = self.values(&Place::new(Path::new("/"), "airtight"));
        engine::sweep(&self.definition, &values);
        engine::remove_images(store, &values)
    }

    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        self.is_there()?;
        let settings = self.complete(settings)?;
        // The paths are of no account: what is asked is whether there are words.
        let place = Place::new(Path::new("/"), "airtight");
        let values = self.values(&place).with("agent", "/").with("image", "airtight");
        self.written(&settings, None, &values, &[], &Value::Null).map(drop)
    }

    fn pid_of(&self, name: &str) -> Result<i32, String> {
        self.is_there().map_err(|cannot| cannot.reason)?;
        let place = Place::new(Path::new("/"), name);
        let state = self.definition.state.clone().unwrap_or_default();
        let values = self.values(&place).with("state", state);
        let forms = &self.definition.reports;
        let name = forms.iter().find(|(_, form)| form.pid.is_some()).map(|(name, _)| name);
        let name = name.ok_or_else(|| format!("{} does not report PIDs", self.name))?;
        let asking = Asking { forms: forms.clone(), values, beside: None };
        let pid = asking.report(name)?.pid.filter(|pid| *pid > 0).ok_or("it does not run")?;
        i32::try_from(pid).map_err(|_| format!("{pid} is no PID"))
    }

    fn is_breakable(&self) -> bool {
        !self.definition.flags_to_add.is_empty()
    }

    /// Without each of its words, and with those that others are of no use without.
    fn breakages(&self, settings: &Settings, _: &Path) -> Vec<Breakage> {
        let flags = settings.flags.clone().unwrap_or_default();
        let without = |flag: &String| flags.iter().filter(|other| *other != flag).cloned().collect();
        let left_out = flags
            .iter()
            .map(|flag| Breakage::flags(format!("{} {flag}: left out", self.name), without(flag)));
        let missing = self.definition.flags_to_add.iter().filter(|flag| !flags.contains(flag));
        let with = |flag: &String| flags.iter().chain([flag]).cloned().collect();
        let added = missing.map(|flag| Breakage::flags(format!("{} {flag}: added", self.name), with(flag)));
        let omitted = settings.mounts.iter().flatten().map(|mount| Breakage::omitted(&mount.target));
        left_out.chain(added).chain(omitted).collect()
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        self.is_there()?;
        let broken = order.breakage.map(|breakage| breakage.settings(order.settings));
        let settings = self.complete(broken.as_ref().unwrap_or(order.settings))?;
        let order = &Order { settings: &settings, ..*order };
        let place = Place::of(nursery);
        let values = self.values_for(order, &place)?;
        match order.first {
            First::Agent => self.start_agent(nursery, order, &place, values),
            First::Command { argv, stdin } => {
                let streams = Streams::new()?;
                let first = self.launch(nursery, order, &place, &values, argv, streams.inside())?;
                let door = door::door(&self.definition, values, &first, None)?;
                Ok(Sandbox::with_command(first, streams.into_command(stdin)?, door))
            }
        }
    }
}

impl CommandLine {
    fn start_agent(
        &self,
        nursery: &Nursery,
        order: &Order<'_>,
        place: &Place,
        values: Values,
    ) -> Result<Sandbox, StartError> {
        let token = random_word()?;
        let (words, brought) = (bundle::words(&token)?, door::brought(&self.definition)?);
        let streams = Streams::new()?;
        let first = self.launch(nursery, order, place, &values, &words, streams.inside())?;
        let (mut channel, stderr) = streams.into_channel(token.clone())?;
        match channel.hello(order.deadline) {
            Ok(hello) => {
                let found = found::agent(&token, hello.pid, Some(&brought), order.deadline)?;
                let door = door::door(&self.definition, values, &first, Some(&found))?;
                Ok(Sandbox::with_agent(first, Some(found), channel, stderr, door))
            }
            Err(error) => {
                first.kill(Instant::now() + PATIENCE);
                // What is left of it is swept by the next run.
                let _ = door::deletion(&self.definition, &values)?.map(|argv| ask(&argv, None));
                match first.failed() {
                    Some(failure) => Err(NurseryError::Setup(failure).into()),
                    None => Err(StartError::Agent { error, stderr: drain(&stderr) }),
                }
            }
        }
    }

    fn launch(
        &self,
        nursery: &Nursery,
        order: &Order<'_>,
        place: &Place,
        values: &Values,
        command: &[String],
        streams: [i32; 3],
    ) -> Result<Process, StartError> {
        let Order { settings, directory, .. } = *order;
        // The runtime may have another working directory.
        let directory = &std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let (argv, config) = self.written(settings, Some(directory), values, command, self.own_config()?)?;
        let root = match self.definition.rootfs {
            Rootfs::Imported => None,
            Rootfs::Directory | Rootfs::Bundle => Some(self.root(order, place, config.as_ref())?),
        };
        let poisoned = settings.launcher == Some(Launcher::Poisoned);
        let launch = Launch { argv, root, beside: None, poisoned };
        Ok(nursery.make(&Request::Launch(launch), streams)?)
    }

    /// The root filesystem that the launcher prepares.
    fn root(
        &self,
        order: &Order<'_>,
        place: &Place,
        config: Option<&Value>,
    ) -> Result<PreparedRoot, StartError> {
        let config = config.map(|config| (Path::new(BUNDLE).join("config.json"), config.to_string()));
        let mut binds = if self.definition.takes_agent() { Vec::new() } else { bundle::own_program()?.binds };
        if self.definition.binds_for_itself() {
            binds.extend(host_binds(
                order.settings,
                &std::path::absolute(order.directory).unwrap_or_default(),
            ));
        }
        let map = id_map(&self.definition, order.settings)?;
        let image =
            map.as_ref().map_or_else(|| Ok(order.image.to_owned()), |map| mapped(order.image, map))?;
        Ok(PreparedRoot {
            stage: place.stage.clone(),
            image,
            owner: map.as_deref().and_then(root_of),
            binds,
            places: self.definition.places.clone(),
            files: config.into_iter().collect(),
            host: self.host_view(),
        })
    }

    /// Its command line and, if it takes a bundle, that one's configuration.
    fn written(
        &self,
        settings: &Settings,
        directory: Option<&Path>,
        values: &Values,
        command: &[String],
        own: &Value,
    ) -> Result<(Vec<String>, Option<Value>), Cannot> {
        let definition = &self.definition;
        let (spelled, config) = if definition.rootfs == Rootfs::Bundle {
            let rootfs = fill(&[Word::rootfs()], values)?.concat();
            let bundle = Bundle { definition, rootfs: &rootfs, argv: command, directory };
            let flags = settings.flags.clone().unwrap_or_default();
            (Spelled { flags, ..Spelled::default() }, Some(bundle.configure(own, settings)?))
        } else {
            (spell(definition, settings, directory.unwrap_or(Path::new("/")), values)?, None)
        };
        let values = values
            .clone()
            .with_words("root", spelled.root)
            .with_words("env", spelled.env)
            .with_words("settings", spelled.settings)
            .with_words("flags", spelled.flags)
            .with_words("command", command.to_vec());
        let run: Vec<Word> =
            definition.run.iter().map(|word| word.with_path(&definition.programs, program_path)).collect();
        Ok((fill(&run, &values)?, config))
    }

    /// The configuration that it makes by itself; asked for once.
    fn own_config(&self) -> Result<&Value, StartError> {
        let config = self.config.get_or_init(|| match &self.definition.bundle {
            Some(words) => self.make_config(words),
            None => Ok(Value::Null),
        });
        config.as_ref().map_err(|reason| StartError::Bundle(reason.clone()))
    }

    fn make_config(&self, words: &[Word]) -> Result<Value, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no folder for a bundle: {error}"))?;
        let place = Place::new(folder.path(), "airtight");
        std::fs::create_dir(place.bundle()).map_err(|error| format!("no folder for a bundle: {error}"))?;
        let argv = fill(words, &self.values(&place)).map_err(|cannot| cannot.reason)?;
        let said = ask(&argv, None)?;
        let text = std::fs::read(place.bundle().join("config.json")).unwrap_or(said);
        serde_json::from_slice(&text).map_err(|error| format!("its own config.json is not JSON: {error}"))
    }

    /// What its placeholders stand for in one sandbox.
    fn values(&self, place: &Place) -> Values {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Values::default()
            .with("program", program_path(&self.definition.program))
            .with("rootfs", text(place.stage.join(ROOT)))
            .with("bundle", text(place.bundle()))
            .with("state", text(place.stage.join(STATE)))
            .with("id", place.id.clone())
    }

    /// With what is made for them first: the agent's directory, an engine's image.
    fn values_for(&self, order: &Order<'_>, place: &Place) -> Result<Values, StartError> {
        let mut values = self.values(place);
        if self.definition.takes_agent() {
            values = values.with("agent", luggage()?.directory.to_string_lossy());
        }
        if let Some(store) = &self.definition.image {
            values = values.with("image", engine::image_name(order.image));
            self.swept.get_or_init(|| engine::sweep(&self.definition, &values));
            engine::import(&self.definition, store, order.image, &values).map_err(StartError::Image)?;
        }
        Ok(values)
    }

    fn host_view(&self) -> HostView {
        let Definition { unmount, files, .. } = &self.definition;
        let texts = files.iter().map(|(path, text)| (PathBuf::from(path), text.clone()));
        HostView { unmounted: unmount.iter().map(PathBuf::from).collect(), texts: texts.collect() }
    }

    /// Says what keeps it from being used here at all.
    fn is_there(&self) -> Result<(), Cannot> {
        let Definition { program, programs, needs, .. } = &self.definition;
        let missing = [program].into_iter().chain(programs).find(|name| program::find(name).is_none());
        if let Some(name) = missing {
            return Err(Cannot::because(format!("the program `{name}` is not there")));
        }
        if needs.contains(&Need::Root) && !Uid::effective().is_root() {
            return Err(Cannot::because(format!("{} needs root here", self.name)));
        }
        self.ready.get_or_init(|| self.is_ready()).clone()
    }

    /// Whether a daemon answers; asked once.
    fn is_ready(&self) -> Result<(), Cannot> {
        let Some(words) = &self.definition.ready else { return Ok(()) };
        let argv = fill(words, &self.values(&Place::new(Path::new("/"), "airtight")))?;
        ask(&argv, None).map(drop).map_err(Cannot::because)
    }

    /// The settings, with those of its hardened profile where they ask for that.
    fn complete<'s>(&self, settings: &'s Settings) -> Result<Cow<'s, Settings>, Cannot> {
        match (settings.profile, &self.definition.hardened) {
            (Some(Profile::Hardened), Some(hardened)) => Ok(Cow::Owned(hardened.with(settings))),
            (Some(Profile::Hardened), None) => {
                Err(Cannot::because(format!("{} has no hardened profile", self.name)))
            }
            (Some(Profile::Default) | None, _) => Ok(Cow::Borrowed(settings)),
        }
    }
}

/// Where a sandbox's things lie, and what it is called.
struct Place {
    stage: PathBuf,
    id: String,
}

impl Place {
    fn new(stage: &Path, id: &str) -> Self {
        Self { stage: stage.to_owned(), id: id.to_owned() }
    }

    /// Each sandbox has a name of its own, by which what a runtime leaves is known to be this run's.
    fn of(nursery: &Nursery) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let run = nursery.run();
        Self::new(&run.stage(), &format!("airtight-{}.c{}", run.tag(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    fn bundle(&self) -> PathBuf {
        self.stage.join(BUNDLE)
    }
}

/// The program's whole path: the runner may have no PATH to pass on.
fn program_path(name: &str) -> String {
    program::find(name).map_or_else(|| name.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// The image with the owners that its ids are on the host.
fn mapped(image: &Path, map: &[IdRange]) -> Result<PathBuf, StartError> {
    let ranges: Vec<(u32, u32, u32)> =
        map.iter().map(|range| (range.inside, range.outside, range.count)).collect();
    Ok(shifted(image, &ranges)?)
}

/// The bind mounts of the settings, made in the root before the runtime starts, which has no word for them.
fn host_binds<'a>(
    settings: &'a Settings,
    directory: &'a Path,
) -> impl Iterator<Item = (PathBuf, String)> + 'a {
    let binds = settings.mounts.iter().flatten();
    binds.filter_map(|mount| Some((directory.join(mount.source.as_ref()?), mount.target.clone())))
}
