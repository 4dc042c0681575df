//! util-linux's unshare(1) with chroot(1): `unshare FLAGS chroot ROOTFS PROGRAM`.

use std::path::Path;
use std::time::Instant;

use nix::unistd::Uid;

use super::bundle::{self, Bundle};
use super::found;
use crate::sandbox::launcher::ROOTFS;
use crate::sandbox::native::{Blueprint, Breakage, Confinement, NativeDoor};
use crate::sandbox::nursery::{Launch, Nursery, NurseryError, PreparedRoot, Process, Request};
use crate::sandbox::program;
use crate::sandbox::running::{Door, Sandbox};
use crate::sandbox::runtime::{Cannot, First, Order, Runtime, StartError};
use crate::sandbox::streams::{Streams, drain};
use crate::spec::{Launcher, Namespace, Settings};
use crate::sys::{CAPABILITIES, random_word};

/// unshare(1) with chroot(1).
#[derive(Debug)]
pub(in crate::sandbox) struct Unshare;

impl Runtime for Unshare {
    fn name(&self) -> &'static str {
        "unshare"
    }

    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        for program in ["unshare", "chroot"] {
            program::find(program)
                .ok_or_else(|| Cannot::because(format!("the program `{program}` is not there")))?;
        }
        if !Uid::effective().is_root() {
            return Err(Cannot::because("unshare needs root to put its root together"));
        }
        match unspeakable(settings) {
            Some(setting) => Err(Cannot::because(format!("unshare cannot set `{setting}`"))),
            None => Ok(()),
        }
    }

    /// Without each of its words, and with those that a PID namespace is useless without.
    fn breakages(&self, settings: &Settings, _: &Path) -> Vec<Breakage> {
        let flags = settings.flags.clone().unwrap_or_default();
        let without = |flag: &String| flags.iter().filter(|other| *other != flag).cloned().collect();
        let left_out =
            flags.iter().map(|flag| Breakage::flags(format!("unshare {flag}: left out"), without(flag)));
        let missing =
            ["--fork", "--mount-proc"].into_iter().filter(|flag| !flags.iter().any(|other| other == flag));
        let with = |flag: &str| flags.iter().cloned().chain([flag.to_owned()]).collect();
        let added = missing.map(|flag| Breakage::flags(format!("unshare {flag}: added"), with(flag)));
        let omitted = settings.mounts.iter().flatten().map(|mount| Breakage::omitted(&mount.target));
        left_out.chain(added).chain(omitted).collect()
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        let broken = order.breakage.map(|breakage| breakage.settings(order.settings));
        let order = &Order { settings: broken.as_ref().unwrap_or(order.settings), ..*order };
        match order.first {
            First::Agent => start_agent(nursery, order),
            First::Command { argv, stdin } => {
                let streams = Streams::new()?;
                let first = launch(nursery, order, argv, &[], streams.inside())?;
                let door = Box::new(Unentered);
                Ok(Sandbox::with_command(first, streams.into_command(stdin)?, door))
            }
        }
    }
}

fn start_agent(nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
    let Bundle { binds, mut words, loader } = bundle::own_program()?;
    let token = random_word()?;
    words.push(token.clone());
    let streams = Streams::new()?;
    let first = launch(nursery, order, &words, &binds, streams.inside())?;
    let (mut channel, stderr) = streams.into_channel(token.clone())?;
    match channel.hello(order.deadline) {
        Ok(hello) => {
            let found = found::agent(&token, hello.pid, loader.as_deref(), order.deadline)?;
            let door = NativeDoor::found(&as_found(found.pid), found.pid)?;
            Ok(Sandbox::with_agent(first, Some(found), channel, stderr, door))
        }
        Err(error) => {
            first.kill(Instant::now() + std::time::Duration::from_secs(5));
            match first.failed() {
                Some(failure) => Err(NurseryError::Setup(failure).into()),
                None => Err(StartError::Agent { error, stderr: drain(&stderr) }),
            }
        }
    }
}

fn launch(
    nursery: &Nursery,
    order: &Order<'_>,
    program: &[String],
    binds: &[(std::path::PathBuf, String)],
    streams: [i32; 3],
) -> Result<Process, NurseryError> {
    let mut argv = vec![path_of("unshare")];
    argv.extend(flags(order.settings));
    argv.extend([path_of("chroot"), ROOTFS.to_owned()]);
    argv.extend(program.iter().cloned());
    let root = PreparedRoot {
        stage: nursery.run().stage(),
        image: order.image.to_owned(),
        binds: binds.iter().cloned().chain(host_binds(order.settings, order.directory)).collect(),
    };
    let poisoned = order.settings.launcher == Some(Launcher::Poisoned);
    nursery.make(&Request::Launch(Launch { argv, root: Some(root), poisoned }), streams)
}

/// The program's whole path: the runner may have no PATH to pass on.
fn path_of(name: &str) -> String {
    program::find(name).map_or_else(|| name.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// One flag for each namespace, then the scenario's own words. `--mount-proc` by itself would mount over the host's `/proc`,
/// where nothing in the chroot sees it; here it means the root's.
fn flags(settings: &Settings) -> Vec<String> {
    let namespaces =
        settings.new.iter().flat_map(|new| &new.0).map(|namespace| format!("--{}", namespace.name()));
    let own = settings.flags.iter().flatten().map(|flag| match flag.as_str() {
        "--mount-proc" => format!("--mount-proc={ROOTFS}/proc"),
        _ => flag.clone(),
    });
    namespaces.chain(own).collect()
}

/// The bind mounts of the settings, made before unshare(1) starts.
fn host_binds<'a>(
    settings: &'a Settings,
    directory: &'a Path,
) -> impl Iterator<Item = (std::path::PathBuf, String)> + 'a {
    let binds = settings.mounts.iter().flatten();
    binds.filter_map(|mount| Some((directory.join(mount.source.as_ref()?), mount.target.clone())))
}

/// A setting that is asked for and cannot be expressed.
fn unspeakable(settings: &Settings) -> Option<&'static str> {
    let Settings {
        user, hostname, env, cwd, capabilities, no_new_privs, seccomp, root, mask, read_only, ..
    } = settings;
    let asked = [
        ("user", user.is_some()),
        ("hostname", hostname.is_some()),
        ("env", env.is_some()),
        ("cwd", cwd.is_some()),
        ("capabilities", capabilities.is_some()),
        ("no_new_privs", no_new_privs.is_some()),
        ("seccomp", seccomp.is_some()),
        ("root", root.is_some()),
        ("mask", mask.is_some()),
        ("read_only", read_only.is_some()),
        ("devices", settings.devices.is_some()),
        ("limits", settings.limits.is_some()),
        ("sysctls", settings.sysctls.is_some()),
        ("network", settings.network.is_some()),
    ];
    asked.into_iter().find(|(_, asked)| *asked).map(|(name, _)| name)
}

/// What must be joined to be where the found process is: the namespaces that it does not share with the runner, and its
/// root. It is confined by nothing else.
fn as_found(pid: i32) -> Blueprint {
    let link = |process: &str, namespace: Namespace| {
        let name = if namespace == Namespace::Mount { "mnt" } else { namespace.name() };
        std::fs::read_link(format!("/proc/{process}/ns/{name}")).ok()
    };
    let differs = |namespace: &Namespace| link("self", *namespace) != link(&pid.to_string(), *namespace);
    Blueprint {
        namespaces: Namespace::ALL.into_iter().filter(differs).collect(),
        confinement: Confinement {
            capabilities: (0..).zip(CAPABILITIES).map(|(number, _)| number).collect(),
            ..Confinement::default()
        },
        chrooted: true,
        ..Blueprint::bare()
    }
}

/// The door of a sandbox whose first process is a command: it is not found, so nothing enters.
#[derive(Debug)]
pub(super) struct Unentered;

impl Door for Unentered {
    fn enter(
        &self,
        _: &Nursery,
        _: &crate::sandbox::native::Role,
        _: [i32; 3],
    ) -> Result<Process, NurseryError> {
        Err(NurseryError::Unexpected(
            "a sandbox whose first process is a command has no agent to find it by".to_owned(),
        ))
    }
}
