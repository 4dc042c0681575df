//! Sandboxes broken on purpose, one thing at a time: what of a sandbox can be broken is derived from its own blueprint.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{major, makedev};
use nix::unistd::Uid;

use super::blueprint::{Blueprint, CgroupLimits, IdMap, Identity, RootPlan, Seccomp};
use super::confine::{LAST_CAPABILITY, RESOURCES};
use super::defects::Defect;
use super::poison::Poison;
use super::{careless, furnish, seccomp, sysctl};
use crate::spec::{Namespace, Settings};
use crate::sys::CAPABILITIES;

/// One thing that is wrong with a sandbox, compared to what its settings say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Breakage {
    /// What it is, for a reader: `capability sys_admin: kept`.
    pub name: String,
    change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Change {
    Share(Namespace),
    Keep(u8),
    GainPrivileges,
    Unfiltered,
    WritableRoot,
    Unmask(String),
    Writable(String),
    OmitMount(String),
    LiftRlimit(u32, u64),
    LiftCgroup(Controller),
    Device(String),
    HostIds,
    Defect(Defect),
    BareChroot,
    Flags(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Controller {
    Memory,
    Pids,
    Cpu,
}

impl Breakage {
    /// Every way in which a sandbox of this blueprint can be broken, in the order of the blueprint.
    pub(super) fn all(blueprint: &Blueprint) -> Vec<Self> {
        let parts = [
            namespaces(blueprint),
            identity(blueprint),
            capabilities(blueprint),
            confinement(blueprint),
            root(blueprint),
            limits(blueprint),
            devices(blueprint),
            defects(blueprint),
        ];
        parts.into_iter().flatten().collect()
    }

    /// A sandbox in which nothing is left but another root: a chroot(2) with the host's `/proc`, `/sys` and `/dev`.
    pub fn bare_chroot() -> Self {
        Self::new("a bare chroot".to_owned(), Change::BareChroot)
    }

    /// A command line of the runtime's own with these words in the place of its `flags`.
    pub(in crate::sandbox) fn flags(name: String, flags: Vec<String>) -> Self {
        Self::new(name, Change::Flags(flags))
    }

    /// A further mount that is missing.
    pub(in crate::sandbox) fn omitted(target: &str) -> Self {
        Self::new(format!("mount {target}: missing"), Change::OmitMount(target.to_owned()))
    }

    /// What of it shows in the settings.
    pub(in crate::sandbox) fn settings(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        match &self.change {
            Change::Flags(flags) => settings.flags = Some(flags.clone()),
            Change::OmitMount(target) => {
                settings.mounts.iter_mut().for_each(|mounts| mounts.retain(|mount| mount.target != *target));
            }
            Change::BareChroot => {
                settings = Settings { image: settings.image, env: settings.env, ..Settings::default() };
            }
            _ => {}
        }
        settings
    }

    fn new(name: String, change: Change) -> Self {
        Self { name, change }
    }

    /// Whether, in a sandbox of this blueprint, an act could reach the files of the host with the rights of its root, or of the
    /// ordinary user whose sandbox it is.
    pub(super) fn exposes_host(&self, blueprint: &Blueprint) -> bool {
        let mapped = matches!(blueprint.identity.map, IdMap::Ranges(_));
        self.change == Change::Share(Namespace::Mount) && !mapped
    }

    /// Breaks the sandbox.
    pub(super) fn apply(&self, blueprint: &mut Blueprint) {
        match &self.change {
            Change::Share(namespace) => share(blueprint, *namespace),
            Change::Keep(number) => blueprint.confinement.capabilities.push(*number),
            Change::GainPrivileges => blueprint.confinement.no_new_privs = false,
            Change::Unfiltered => blueprint.confinement.seccomp = Seccomp::None,
            Change::WritableRoot => blueprint.root.read_only = false,
            Change::Unmask(path) => blueprint.root.masks.retain(|mask| mask != path),
            Change::Writable(path) => blueprint.root.read_only_paths.retain(|other| other != path),
            Change::OmitMount(target) => blueprint.root.mounts.retain(|mount| mount.target != *target),
            Change::LiftRlimit(number, most) => lift(&mut blueprint.rlimits, *number, *most),
            Change::LiftCgroup(controller) => controller.lift(&mut blueprint.cgroup),
            Change::Device(path) => blueprint.root.devices.push(path.clone()),
            Change::HostIds => blueprint.identity.map = IdMap::Ranges(vec![(0, 0, u32::MAX)]),
            Change::Defect(defect) => blueprint.defects.push(defect.clone()),
            Change::BareChroot => strip(blueprint),
            // It is in the settings already.
            Change::Flags(_) => {}
        }
    }
}

impl Controller {
    fn lift(self, limits: &mut CgroupLimits) {
        match self {
            Self::Memory => limits.memory = None,
            Self::Pids => limits.pids = None,
            Self::Cpu => limits.cpu = None,
        }
    }
}

/// The namespaces that it creates, shared with the host instead. An ordinary user has no right to do without a user
/// namespace.
fn namespaces(blueprint: &Blueprint) -> Vec<Breakage> {
    let can = |namespace: &Namespace| *namespace != Namespace::User || Uid::effective().is_root();
    let shared = blueprint.namespaces.iter().copied().filter(can);
    let name = |namespace: Namespace| format!("namespace {}: the host's", namespace.name());
    shared.map(|namespace| Breakage::new(name(namespace), Change::Share(namespace))).collect()
}

fn share(blueprint: &mut Blueprint, namespace: Namespace) {
    blueprint.namespaces.retain(|own| *own != namespace);
    // They would be set in the host's, and stay.
    blueprint.sysctls.retain(|name, _| sysctl::owner(name) != Some(namespace));
    match namespace {
        Namespace::User => blueprint.identity.map = IdMap::None,
        Namespace::Uts => blueprint.hostname = None,
        _ => {}
    }
}

/// Only root can map the host's root.
fn identity(blueprint: &Blueprint) -> Vec<Breakage> {
    let mapped = matches!(blueprint.identity.map, IdMap::Ranges(_));
    mapped.then(|| Breakage::new("ids: the host's".to_owned(), Change::HostIds)).into_iter().collect()
}

fn capabilities(blueprint: &Blueprint) -> Vec<Breakage> {
    let dropped = (0..=LAST_CAPABILITY).filter(|number| !blueprint.confinement.capabilities.contains(number));
    let name = |number: u8| format!("capability {}: kept", CAPABILITIES[usize::from(number)]);
    dropped.map(|number| Breakage::new(name(number), Change::Keep(number))).collect()
}

fn confinement(blueprint: &Blueprint) -> Vec<Breakage> {
    let confinement = &blueprint.confinement;
    let mut all = Vec::new();
    if confinement.no_new_privs {
        all.push(Breakage::new("no_new_privs: not set".to_owned(), Change::GainPrivileges));
    }
    if confinement.seccomp != Seccomp::None {
        all.push(Breakage::new("seccomp: no filter".to_owned(), Change::Unfiltered));
    }
    let calls = seccomp::refused_calls(blueprint).into_iter();
    all.extend(calls.map(|call| defect(format!("seccomp {call}: allowed"), Defect::AllowedCall(call))));
    all
}

fn root(blueprint: &Blueprint) -> Vec<Breakage> {
    let RootPlan { read_only, mounts, masks, read_only_paths, .. } = &blueprint.root;
    let mut all = Vec::new();
    if *read_only {
        all.push(Breakage::new("root: writable".to_owned(), Change::WritableRoot));
    }
    all.extend(
        masks
            .iter()
            .filter(|path| is_there(path))
            .map(|path| Breakage::new(format!("mask {path}: bare"), Change::Unmask(path.clone()))),
    );
    all.extend(
        read_only_paths
            .iter()
            .filter(|path| is_there(path))
            .map(|path| Breakage::new(format!("read-only {path}: writable"), Change::Writable(path.clone()))),
    );
    all.extend(mounts.iter().map(|mount| Breakage::omitted(&mount.target)));
    let flagged = furnish::flagged_mounts(blueprint).into_iter();
    all.extend(flagged.map(|path| defect(format!("mount {path}: no flags"), Defect::BareMount(path))));
    all
}

/// What the host lacks is not hidden by a mask.
fn is_there(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Every limit, lifted to what the runner itself may have; where that is the same there is nothing to lift.
fn limits(blueprint: &Blueprint) -> Vec<Breakage> {
    let own = |number: u32| {
        let resource = RESOURCES.iter().find(|resource| **resource as u32 == number)?;
        Some((*resource, getrlimit(*resource).ok()?.1))
    };
    let lifted = blueprint.rlimits.iter().filter_map(|(number, value)| {
        let (resource, most) = own(*number).filter(|(_, most)| most > value)?;
        Some(Breakage::new(format!("{}: lifted", name_of(resource)), Change::LiftRlimit(*number, most)))
    });
    let CgroupLimits { memory, pids, cpu } = blueprint.cgroup;
    let controlled = [
        ("memory", memory.is_some(), Controller::Memory),
        ("pids", pids.is_some(), Controller::Pids),
        ("cpu", cpu.is_some(), Controller::Cpu),
    ];
    let controlled = controlled.into_iter().filter(|(_, limited, _)| *limited);
    let name = |name: &str| format!("limit {name} of the cgroup: lifted");
    lifted
        .chain(
            controlled.map(|(word, _, controller)| Breakage::new(name(word), Change::LiftCgroup(controller))),
        )
        .collect()
}

fn name_of(resource: Resource) -> String {
    format!("{resource:?}")
}

fn lift(rlimits: &mut [(u32, u64)], number: u32, most: u64) {
    rlimits.iter_mut().filter(|(other, _)| *other == number).for_each(|(_, value)| *value = most);
}

/// One device of each of the host's drivers that the sandbox has no device of.
fn devices(blueprint: &Blueprint) -> Vec<Breakage> {
    let mut seen: Vec<(bool, u64)> = own_drivers(blueprint);
    let mut all = Vec::new();
    for path in host_devices() {
        let Ok(stat) = fs::metadata(&path) else { continue };
        let driver = (stat.file_type().is_block_device(), driver(stat.rdev()));
        if !seen.contains(&driver) {
            seen.push(driver);
            let path = path.to_string_lossy().into_owned();
            all.push(Breakage::new(format!("device {path}: added"), Change::Device(path)));
        }
    }
    all
}

/// The drivers that the sandbox has a device of.
fn own_drivers(blueprint: &Blueprint) -> Vec<(bool, u64)> {
    let usual = furnish::DEVICES.map(|(_, major, minor)| (false, driver(makedev(major, minor))));
    let added = blueprint.root.devices.iter().filter_map(|path| fs::metadata(path).ok());
    let added = added.map(|stat| (stat.file_type().is_block_device(), driver(stat.rdev())));
    usual.into_iter().chain([(false, driver(makedev(5, 2)))]).chain(added).collect()
}

/// A driver of its own has a major number; the miscellaneous drivers and those of memory and of terminals share theirs (10, 1 and
/// 5, Documentation/admin-guide/devices.txt), and are told apart by the minor.
fn driver(device: libc::dev_t) -> u64 {
    let number = major(device);
    if [1, 5, 10].contains(&number) { device } else { makedev(number, 0) }
}

fn host_devices() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_device = |path: &PathBuf| {
        let kind = fs::symlink_metadata(path).map(|stat| stat.file_type());
        kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
    };
    let mut devices: Vec<PathBuf> = entries.filter(is_device).collect();
    devices.sort();
    devices
}

fn defects(blueprint: &Blueprint) -> Vec<Breakage> {
    let mut all = vec![
        defect("root: entered by chroot".to_owned(), Defect::Chroot),
        defect("/proc: the host's".to_owned(), Defect::HostMount("/proc".to_owned())),
        defect("first process: not waited for".to_owned(), Defect::NotWaitedFor),
    ];
    // A user namespace's mounts are slaves of the host's, and no peers (mount_namespaces(7)); only root can put one on the host.
    if Uid::effective().is_root() {
        all.push(defect("propagation: shared".to_owned(), Defect::SharedPropagation));
    }
    if careless::leads_only_to(&blueprint.root.planted, "{scratch}") {
        all.push(defect("links of the image: followed on the host".to_owned(), Defect::Careless));
    }
    if blueprint.hostname.is_some() {
        all.push(defect("host name: the host's".to_owned(), Defect::HostName));
    }
    if blueprint.creates(Namespace::Pid) {
        all.push(defect("first process: does not reap".to_owned(), Defect::DoesNotReap));
    }
    let leaks = Poison::ALL.into_iter();
    all.extend(leaks.map(|poison| defect(format!("leak: {}", poison.name()), Defect::Leak(poison))));
    all
}

fn defect(name: String, defect: Defect) -> Breakage {
    Breakage::new(name, Change::Defect(defect))
}

/// Leaves of a sandbox its image and its environment. Its mount namespace stays its own, since its end is what unmounts it; and an
/// ordinary user may call chroot(2) only in a user namespace.
fn strip(blueprint: &mut Blueprint) {
    let needed = |namespace: &Namespace| {
        *namespace == Namespace::Mount || *namespace == Namespace::User && !Uid::effective().is_root()
    };
    *blueprint = Blueprint {
        stage: std::mem::take(&mut blueprint.stage),
        image: std::mem::take(&mut blueprint.image),
        maps_image: blueprint.maps_image,
        namespaces: Namespace::ALL.into_iter().filter(needed).collect(),
        identity: if Uid::effective().is_root() { Identity::default() } else { blueprint.identity.clone() },
        env: std::mem::take(&mut blueprint.env),
        confinement: super::blueprint::Confinement {
            capabilities: (0..=LAST_CAPABILITY).collect(),
            ..super::blueprint::Confinement::default()
        },
        defects: ["/proc", "/sys", "/dev"]
            .map(|path| Defect::HostMount(path.to_owned()))
            .into_iter()
            .chain([Defect::Chroot])
            .collect(),
        ..Blueprint::bare()
    };
}
