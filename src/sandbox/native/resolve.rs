//! Settings, which may leave things open, to a blueprint, which does not.

use std::fs;
use std::path::Path;

use nix::sys::resource::Resource;
use nix::unistd::{Gid, Uid};

use super::blueprint::{Blueprint, CgroupLimits, Confinement, IdMap, Identity, MountPlan, RootPlan, Seccomp};
use super::confine::LAST_CAPABILITY;
use super::{defaults, hardened, subordinate, sysctl};
use crate::sandbox::Cannot;
use crate::spec::{
    Capabilities, Launcher, Limits, Mount, Namespace, Namespaces, Network, Plant, Profile, Root, Settings,
};
use crate::sys::capability_number;

/// The namespaces that these settings ask for.
pub(super) fn namespaces(settings: &Settings) -> Vec<Namespace> {
    let mut list = settings.new.clone().unwrap_or_else(Namespaces::all).0;
    if settings.network == Some(Network::Host) {
        list.retain(|namespace| *namespace != Namespace::Net);
    }
    list
}

/// Says what keeps these settings from being a native sandbox, on this machine and as this user.
pub(super) fn check(settings: &Settings) -> Result<(), Cannot> {
    let namespaces = namespaces(settings);
    let owns = |namespace| namespaces.contains(&namespace);
    let refuse =
        |condition: bool, reason: &str| if condition { Err(Cannot::because(reason)) } else { Ok(()) };
    refuse(settings.flags.is_some(), "native has no command line of its own to give `flags` to")?;
    refuse(
        !owns(Namespace::Mount),
        "native cannot share the mount namespace: its root is made in one of its own",
    )?;
    refuse(
        settings.planted.iter().flatten().any(Plant::is_of_archive),
        "native is given a directory and no archive to plant this in",
    )?;
    refuse(
        settings.hostname.is_some() && !owns(Namespace::Uts),
        "native cannot set `hostname` without a uts namespace of its own",
    )?;
    for name in settings.sysctls.iter().flat_map(|sysctls| sysctls.keys()) {
        let own = sysctl::owner(name).is_some_and(owns);
        refuse(
            !own,
            &format!(
                "native cannot set `{name}`: it is not of a namespace of the sandbox's own, and so the host's"
            ),
        )?;
    }
    refuse(
        !owns(Namespace::User) && !Uid::effective().is_root(),
        "only root can do without a user namespace of its own",
    )
}

/// The blueprint of these settings. Paths in them are relative to `directory`.
pub(super) fn resolve(
    settings: &Settings,
    image: &Path,
    stage: &Path,
    directory: &Path,
) -> Result<Blueprint, Cannot> {
    check(settings)?;
    let settings = &hardened::complete(settings);
    let namespaces = namespaces(settings);
    let identity = identity(settings, &namespaces);
    let hostname = settings.hostname.clone().or_else(|| Some(defaults::HOSTNAME.to_owned()));
    let limits = settings.limits.clone().unwrap_or_default();
    Ok(Blueprint {
        chrooted: false,
        stage: stage.to_owned(),
        image: image.to_owned(),
        maps_image: true,
        hostname: hostname.filter(|_| namespaces.contains(&Namespace::Uts)),
        env: settings.env.clone().unwrap_or_else(defaults::environment),
        cwd: settings.cwd.clone().unwrap_or_else(|| "/".to_owned()),
        root: root(settings, directory),
        confinement: confinement(settings, identity.uid, directory)?,
        rlimits: rlimits(&limits),
        cgroup: cgroup(&limits),
        sysctls: settings.sysctls.clone().unwrap_or_default(),
        poisoned: settings.launcher == Some(Launcher::Poisoned),
        defects: Vec::new(),
        identity,
        namespaces,
    })
}

fn identity(settings: &Settings, namespaces: &[Namespace]) -> Identity {
    let user = settings.user.clone().unwrap_or_default();
    let (uid, gid) = (user.uid.unwrap_or(0), user.gid.unwrap_or(0));
    let given = user
        .map
        .map(|ranges| ranges.iter().map(|range| (range.inside, range.outside, range.count)).collect());
    let map = match given {
        _ if !namespaces.contains(&Namespace::User) => IdMap::None,
        Some(ranges) if Uid::effective().is_root() => IdMap::Ranges(ranges),
        Some(ranges) => IdMap::Subordinate { users: ranges.clone(), groups: ranges },
        None if Uid::effective().is_root() => {
            IdMap::Ranges(vec![(0, defaults::FIRST_ID, defaults::ID_COUNT)])
        }
        None => own_map(uid, gid),
    };
    Identity { uid, gid, map }
}

/// What an ordinary user can map: with newuidmap(1) what /etc/subuid gives, else the own id alone.
fn own_map(uid: u32, gid: u32) -> IdMap {
    let (own_uid, own_gid) = (Uid::effective().as_raw(), Gid::effective().as_raw());
    match subordinate::ranges() {
        Some((users, groups)) => IdMap::Subordinate {
            users: vec![(0, own_uid, 1), (1, users.0, users.1)],
            groups: vec![(0, own_gid, 1), (1, groups.0, groups.1)],
        },
        None => IdMap::Own { uid, gid },
    }
}

fn root(settings: &Settings, directory: &Path) -> RootPlan {
    let or_default = |given: &Option<Vec<String>>, default: &[&str]| {
        given.clone().unwrap_or_else(|| default.iter().map(|path| (*path).to_owned()).collect())
    };
    let plan = |mount: &Mount| MountPlan {
        target: mount.target.clone(),
        kind: mount.kind.clone().filter(|kind| kind != "bind"),
        source: mount
            .source
            .as_ref()
            .map_or_else(String::new, |source| directory.join(source).to_string_lossy().into_owned()),
        options: mount.options.clone(),
    };
    RootPlan {
        read_only: settings.root == Some(Root::ReadOnly),
        strict: settings.profile == Some(Profile::Hardened),
        planted: settings.planted.clone().unwrap_or_default(),
        mounts: settings.mounts.iter().flatten().map(plan).collect(),
        masks: or_default(&settings.mask, &defaults::MASKS),
        read_only_paths: or_default(&settings.read_only, &defaults::READ_ONLY),
        devices: settings.devices.clone().unwrap_or_default(),
    }
}

fn confinement(settings: &Settings, uid: u32, directory: &Path) -> Result<Confinement, Cannot> {
    let seccomp = match settings.seccomp.as_deref() {
        None | Some("default") => Seccomp::Default,
        Some("none") => Seccomp::None,
        Some(path) => {
            let path = directory.join(path);
            let text = fs::read_to_string(&path);
            Seccomp::Profile(
                text.map_err(|error| Cannot::because(format!("cannot read {}: {error}", path.display())))?,
            )
        }
    };
    Ok(Confinement {
        capabilities: capabilities(settings.capabilities.as_ref(), uid),
        no_new_privs: settings.no_new_privs.unwrap_or(true),
        seccomp,
    })
}

/// Names were checked when the spec was read.
fn capabilities(given: Option<&Capabilities>, uid: u32) -> Vec<u8> {
    let numbers =
        |names: &[String]| -> Vec<u8> { names.iter().filter_map(|name| capability_number(name)).collect() };
    match given {
        Some(Capabilities { keep: Some(kept), .. }) => numbers(kept),
        Some(Capabilities { drop: Some(dropped), .. }) => {
            let dropped = numbers(dropped);
            (0..=LAST_CAPABILITY).filter(|number| !dropped.contains(number)).collect()
        }
        _ if uid == 0 => defaults::CAPABILITIES.iter().filter_map(|name| capability_number(name)).collect(),
        _ => Vec::new(),
    }
}

fn rlimits(limits: &Limits) -> Vec<(u32, u64)> {
    let given = [
        (Resource::RLIMIT_NOFILE, limits.nofile),
        (Resource::RLIMIT_NPROC, limits.nproc),
        (Resource::RLIMIT_CORE, limits.core.map(|size| size.0)),
        (Resource::RLIMIT_FSIZE, limits.fsize.map(|size| size.0)),
        (Resource::RLIMIT_STACK, limits.stack.map(|size| size.0)),
        (Resource::RLIMIT_MEMLOCK, limits.memlock.map(|size| size.0)),
        (Resource::RLIMIT_AS, limits.address_space.map(|size| size.0)),
    ];
    given.into_iter().filter_map(|(resource, value)| value.map(|value| (resource as u32, value))).collect()
}

fn cgroup(limits: &Limits) -> CgroupLimits {
    CgroupLimits {
        memory: limits.memory.map(|size| size.0),
        pids: limits.pids,
        cpu: limits.cpu.map(|percent| percent.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_sandbox_owns_is_set() {
        let check = |name: &str, network: Option<Network>, set: bool| {
            let sysctls = [(name.to_owned(), "1".to_owned())].into_iter().collect();
            let settings = Settings { sysctls: Some(sysctls), network, ..Settings::default() };
            assert_eq!(check(&settings).is_ok(), set, "{name} {network:?}");
        };
        check("net.ipv4.ip_forward", None, true);
        check("net.ipv4.ip_forward", Some(Network::Host), false);
        check("vm.swappiness", None, false);
    }
}
