//! A runtime that is a command line, as its file describes it.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use serde_json::Value;

use super::ask::{AskError, ask_apart, end_asked, start_of};
use super::bundle;
use super::definition::{Definition, Rootfs};
use super::deletion::Deletion;
use super::door;
use super::engine;
use super::found::{self, Found, Sought};
use super::ids::{id_map, root_of};
use super::in_vm::Luggable;
use super::luggage::luggage;
use super::manual::manual;
use super::oci::Bundle;
use super::place::{BUNDLE, Place};
use super::report::Asking;
use super::spell::{Spelled, spell};
use super::words::{Values, Word, fill};
use crate::agent::{Channel, ChannelError};
use crate::fact::Reporter as _;
use crate::sandbox::launcher::STATE;
use crate::sandbox::native::{Breakage, root::ROOT, shifted};
use crate::sandbox::nursery::{
    HostView, Launch, Nursery, NurseryError, Part, PreparedRoot, Process, Request,
};
use crate::sandbox::parcel::Parcel;
use crate::sandbox::running::{Sandbox, Trial};
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::{Streams, drain};
use crate::sandbox::{program, run_directory};
use crate::spec::{IdRange, Launcher, Plant, Profile, Settings};
use crate::sys::random_word;

/// How long a runtime that did not start its sandbox may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to end once it has closed the agent's streams.
const MOMENT: Duration = Duration::from_secs(1);

/// A runtime that is a command line.
#[derive(Debug)]
pub(in crate::sandbox) struct CommandLine {
    pub(super) name: &'static str,
    pub(super) definition: Definition,
    /// The `config.json` that it makes by itself, or why it makes none.
    config: OnceLock<Result<Value, String>>,
    /// Whether its daemon answers, if it has one.
    pub(super) ready: OnceLock<Result<(), AskError>>,
    /// The version that its program gives, or why that is none.
    pub(super) version: OnceLock<Result<String, String>>,
    /// Whether its `exec` leads into its sandboxes.
    trial: Arc<Trial>,
    /// What it takes along to a VM.
    luggable: Luggable,
    /// Set once an agent has answered in a sandbox of its: it does run what it is given.
    obeys: OnceLock<()>,
    /// Whether what earlier runs left with it has been removed.
    pub(super) swept: OnceLock<()>,
}

impl CommandLine {
    /// `file` is where it was read from, if it does not come with airtight.
    pub(super) fn new(definition: Definition, file: Option<&Path>) -> Self {
        let luggable = Luggable::of(&definition, file);
        let name = Box::leak(definition.runtime.0.clone().into_boxed_str());
        let definition = definition.for_caller(Uid::effective().is_root());
        Self {
            name,
            definition,
            config: OnceLock::new(),
            ready: OnceLock::new(),
            version: OnceLock::new(),
            trial: Arc::default(),
            luggable,
            obeys: OnceLock::new(),
            swept: OnceLock::new(),
        }
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
        self.version.get_or_init(|| self.read_version()).clone()
    }

    fn manual(&self) -> String {
        manual(&self.definition)
    }

    fn clean(&self) -> Result<Vec<String>, String> {
        let Some(store) = self.definition.image.as_ref().filter(|_| self.is_there().is_ok()) else {
            return Ok(Vec::new());
        };
        let values = self.values(&Place::new(Path::new("/"), "airtight"));
        engine::sweep(&self.definition, &values, |tag| !run_directory::is_alive(tag));
        let removed = engine::remove_images(&self.definition, store, &values);
        end_asked();
        removed
    }

    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        self.is_there()?;
        let settings = self.complete(settings)?;
        // The paths are of no account: what is asked is whether there are words.
        let place = Place::new(Path::new("/"), "airtight");
        let values = self.values(&place).with("agent", "/").with("image", "airtight");
        // Whether a parameter can be set is a question of what else it gives.
        let own =
            if settings.sysctls.is_some() { self.own_config().unwrap_or(&Value::Null) } else { &Value::Null };
        self.written(&settings, None, &values, &[], own).map(drop)
    }

    fn sends_signals(&self) -> bool {
        self.definition.kill.is_some()
    }

    fn known_issue(&self, claim: &str) -> Option<String> {
        self.definition.known_issues.iter().find_map(|issue| issue.reason(claim))
    }

    fn parcel(&self) -> Result<Parcel, Cannot> {
        self.luggable.parcel()
    }

    fn make_ready(&self, image: &Path) -> Result<(), StartError> {
        self.is_there()?;
        self.is_itself()?;
        self.own_config()?;
        let values = self.values(&Place::new(Path::new("/"), "airtight"));
        if self.definition.takes_agent() {
            luggage()?;
        }
        let Some(store) = &self.definition.image else { return Ok(()) };
        let values = values.with("image", engine::image_name(image));
        engine::import(&self.definition, store, image, &values).map_err(StartError::Image)
    }

    fn pid_of(&self, name: &str) -> Result<i32, String> {
        self.is_there().map_err(|cannot| cannot.reason)?;
        let place = Place::new(Path::new("/"), name);
        let state = self.definition.state.clone().unwrap_or_default();
        let values = self.values(&place).with("state", state);
        let forms = &self.definition.reports;
        let name = forms.iter().find(|(_, form)| form.pid.is_some()).map(|(name, _)| name);
        let name = name.ok_or_else(|| format!("{} does not report PIDs", self.name))?;
        let asking = Asking {
            forms: forms.clone(),
            kill: None,
            values,
            beside: None,
            patience: self.definition.patience(),
        };
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
        self.is_itself()?;
        let broken = order.breakage.map(|breakage| breakage.settings(order.settings));
        let settings = self.complete(broken.as_ref().unwrap_or(order.settings))?;
        let order = &Order { settings: &settings, ..*order };
        let place = Place::of(nursery);
        let values = self.values_for(order, &place)?;
        match order.first {
            First::Agent => self.start_agent(nursery, order, &place, &values),
            First::Command { argv, stdin } => {
                self.must_obey(nursery, order)?;
                let streams = Streams::new()?;
                let first = self.launch(nursery, order, &place, &values, argv, streams.inside())?;
                let door = door::door(&self.definition, values, place.further(), &self.trial, &first, None)?;
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
        values: &Values,
    ) -> Result<Sandbox, StartError> {
        let token = random_word()?;
        let words = bundle::words(&token)?;
        let streams = Streams::new()?;
        let first = self.launch(nursery, order, place, values, &words, streams.inside())?;
        let (mut channel, stderr) = streams.into_channel(token.clone())?;
        let begun = self.greet(&mut channel, &token, &first, order.deadline).and_then(|found| {
            let door = door::door(
                &self.definition,
                values.clone(),
                place.further(),
                &self.trial,
                &first,
                Some(&found),
            )?;
            Ok((found, door))
        });
        match begun {
            Ok((found, door)) => {
                self.obeys.get_or_init(|| ());
                Ok(Sandbox::with_agent(first, Some(found), channel, stderr, door))
            }
            Err(error) => Err(self.put_away(&first, values, &stderr, error)),
        }
    }

    /// Of a command only the exit and the output are seen, and a runtime that runs nothing and exits with 0 would pass for one whose command
    /// said nothing. So an agent must have answered before.
    fn must_obey(&self, nursery: &Nursery, order: &Order<'_>) -> Result<(), StartError> {
        if self.obeys.get().is_some() {
            return Ok(());
        }
        let place = Place::of(nursery);
        let values = self.values_for(order, &place)?;
        self.start_agent(nursery, order, &place, &values).map(drop)
    }

    /// Hears the agent's hello, and finds its process.
    fn greet(
        &self,
        channel: &mut Channel,
        token: &str,
        first: &Process,
        deadline: Instant,
    ) -> Result<Found, StartError> {
        let hello = channel.hello(deadline).map_err(|error| {
            // Who closes its streams is about to end.
            let until = if error == ChannelError::Closed { Instant::now() + MOMENT } else { Instant::now() };
            let ended = first.wait(until.min(deadline));
            StartError::Runtime { runtime: self.name, error, ended, stderr: String::new() }
        })?;
        let brought = door::brought(&self.definition)?;
        let root = first.root_device().filter(|_| !self.definition.copies_root);
        found::agent(&Sought { token, reported: hello.pid, brought: Some(&brought), root }, deadline)
    }

    /// Ends what was started in vain, and says why it was.
    fn put_away(&self, first: &Process, values: &Values, errors: &OwnedFd, error: StartError) -> StartError {
        first.kill(Instant::now() + PATIENCE);
        if let Ok(deletion) = Deletion::of(&self.definition, values) {
            deletion.perform(false);
        }
        match (first.failed(), error) {
            (Some(failure), _) => NurseryError::Setup(failure).into(),
            (None, StartError::Runtime { runtime, error, ended, .. }) => {
                StartError::Runtime { runtime, error, ended, stderr: drain(errors) }
            }
            (None, other) => other,
        }
    }

    /// What its sandbox's first process is a part of: an engine's own are its own matter, and tidy up when they are let.
    fn part(&self, place: &Place) -> Part {
        match self.definition.rootfs {
            Rootfs::Imported => Part::Unnamed,
            Rootfs::Directory | Rootfs::Bundle => Part::First(place.id.clone()),
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
            Rootfs::Directory | Rootfs::Bundle => Some(Box::new(self.root(order, place, config.as_ref())?)),
        };
        let poisoned = settings.launcher == Some(Launcher::Poisoned);
        let launch = Launch { argv, root, beside: None, poisoned, part: self.part(place) };
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
        let agent = if self.definition.takes_agent() { Vec::new() } else { bundle::own_program()?.binds };
        let directory = std::path::absolute(order.directory).unwrap_or_default();
        let binds = if self.definition.binds_for_itself() {
            host_binds(order.settings, &directory).collect()
        } else {
            Vec::new()
        };
        let map = id_map(&self.definition, order.settings)?;
        let image =
            map.as_ref().map_or_else(|| Ok(order.image.to_owned()), |map| mapped(order.image, map))?;
        Ok(PreparedRoot {
            stage: place.stage.clone(),
            image,
            owner: map.as_deref().and_then(root_of),
            agent,
            binds,
            places: self.definition.places.clone(),
            planted: order.settings.planted.clone().unwrap_or_default(),
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
        let of_archive = settings.planted.iter().flatten().any(Plant::is_of_archive);
        if of_archive && definition.rootfs != Rootfs::Imported {
            let reason = format!("{} is given a directory and no archive to plant this in", self.name);
            return Err(Cannot::because(reason));
        }
        let flags = settings.flags.as_deref().unwrap_or_default();
        if !flags.is_empty() && !definition.run.iter().any(Word::is_flags) {
            return Err(Cannot::because(format!("{} takes no flags", self.name)));
        }
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
        let said = ask_apart(&argv, self.definition.patience()).map_err(|error| error.to_string())?;
        let text = std::fs::read(place.bundle().join("config.json")).unwrap_or(said);
        let wrong =
            |what: String| format!("`{}` made no config.json: {what}: {}", argv.join(" "), start_of(&text));
        match serde_json::from_slice(&text) {
            Ok(config @ Value::Object(_)) => Ok(config),
            Ok(_) => Err(wrong("it is no object".to_owned())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// What its placeholders stand for in one sandbox.
    pub(super) fn values(&self, place: &Place) -> Values {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Values::default()
            .with("program", program_path(&self.definition.program))
            .with("rootfs", text(place.stage.join(ROOT)))
            .with("bundle", text(place.bundle()))
            .with("state", text(place.stage.join(STATE)))
            .with("id", place.id.clone())
            .with_words("removes_itself", self.definition.removes_itself.clone().unwrap_or_default())
    }

    /// With what is made for them first: the agent's directory, an engine's image.
    fn values_for(&self, order: &Order<'_>, place: &Place) -> Result<Values, StartError> {
        let mut values = self.values(place);
        self.swept.get_or_init(|| self.sweep(&values));
        if order.kept {
            values = values.with_words("removes_itself", Vec::new());
        }
        if self.definition.takes_agent() {
            values = values.with("agent", luggage()?.directory.to_string_lossy());
        }
        if let Some(store) = &self.definition.image {
            values = values.with("image", image_name(order, place));
            let imported = match &order.settings.planted {
                Some(planted) => {
                    engine::import_planted(&self.definition, store, order.image, planted, &values)
                }
                None => engine::import(&self.definition, store, order.image, &values),
            };
            imported.map_err(StartError::Image)?;
        }
        Ok(values)
    }

    fn host_view(&self) -> HostView {
        let Definition { unmount, files, .. } = &self.definition;
        let texts = files.iter().map(|(path, text)| (PathBuf::from(path), text.clone()));
        HostView { unmounted: unmount.iter().map(PathBuf::from).collect(), texts: texts.collect() }
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

/// The engine's name for the image of a sandbox.
fn image_name(order: &Order<'_>, place: &Place) -> String {
    let planted = order.settings.planted.as_ref().map(|_| engine::planted_name(&place.id));
    planted.unwrap_or_else(|| engine::image_name(order.image))
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
