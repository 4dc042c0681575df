//! Settings as edits of an OCI bundle's `config.json` (OCI runtime specification, config.md and config-linux.md). What is not set stays
//! as the runtime's own default has it.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::unistd::{Gid, Uid};
use serde_json::{Map, Value, json};

use super::definition::Definition;
use super::ids::id_map;
use super::oci_seccomp;
use super::spell::{cannot, named, refused_sysctl, refused_together};
use crate::sandbox::native;
use crate::sandbox::runtime::Cannot;
use crate::spec::{
    Capabilities, IdRange, Limits, Mount, Namespace, Namespaces, Network, Root, Settings, User,
};
use crate::sys::{self, CAPABILITIES};

type Said = Result<(), Cannot>;

/// What the configuration is made for.
pub(super) struct Bundle<'a> {
    pub(super) definition: &'a Definition,
    /// The root filesystem's absolute path.
    pub(super) rootfs: &'a str,
    pub(super) argv: &'a [String],
    /// What paths in the settings are relative to; none where it is only asked whether they can be expressed.
    pub(super) directory: Option<&'a Path>,
}

impl Bundle<'_> {
    /// The configuration, from the runtime's own.
    pub(super) fn configure(&self, own: &Value, settings: &Settings) -> Result<Value, Cannot> {
        let mut config = Config { bundle: self, json: own.clone() };
        *config.at("/process/terminal") = json!(false);
        *config.at("/process/args") = json!(self.argv);
        *config.at("/root/path") = json!(self.rootfs);
        config.all(settings)?;
        Ok(config.json)
    }
}

struct Config<'a> {
    bundle: &'a Bundle<'a>,
    json: Value,
}

impl Config<'_> {
    /// The value at a pointer; what is missing on the way is made.
    fn at(&mut self, pointer: &str) -> &mut Value {
        pointer.split('/').skip(1).fold(&mut self.json, |value, key| {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            &mut value[key]
        })
    }

    /// The list at a pointer.
    fn list(&mut self, pointer: &str) -> &mut Vec<Value> {
        let value = self.at(pointer);
        if !value.is_array() {
            *value = Value::Array(Vec::new());
        }
        #[expect(clippy::unreachable, reason = "it was just made one")]
        value.as_array_mut().unwrap_or_else(|| unreachable!("an array"))
    }

    /// Every setting is named here: one that is added must be written too.
    fn all(&mut self, settings: &Settings) -> Said {
        let Settings {
            image: _,
            command: _,
            flags: _,
            launcher: _,
            profile: _,
            planted: _,
            new,
            user,
            hostname,
            env,
            cwd,
            capabilities,
            no_new_privs,
            seccomp,
            root,
            mounts,
            mask,
            read_only,
            devices,
            limits,
            sysctls,
            network,
        } = settings;
        self.refused(settings)?;
        new.iter().try_for_each(|new| self.namespaces(new))?;
        if let Some(user) = user {
            self.user(user);
        }
        if let Some(map) = id_map(self.bundle.definition, settings)? {
            self.map(&map);
        }
        if let Some(hostname) = hostname {
            *self.at("/hostname") = json!(hostname);
        }
        if let Some(env) = env {
            let env: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            *self.at("/process/env") = json!(env);
        }
        if let Some(cwd) = cwd {
            *self.at("/process/cwd") = json!(cwd);
        }
        if let Some(capabilities) = capabilities {
            self.capabilities(capabilities);
        }
        if let Some(set) = no_new_privs {
            *self.at("/process/noNewPrivileges") = json!(set);
        }
        seccomp.iter().try_for_each(|filter| self.seccomp(filter))?;
        if let Some(root) = root {
            *self.at("/root/readonly") = json!(*root == Root::ReadOnly);
        }
        mounts.iter().flatten().for_each(|mount| self.mount(mount));
        if let Some(paths) = mask {
            *self.at("/linux/maskedPaths") = json!(paths);
        }
        if let Some(paths) = read_only {
            *self.at("/linux/readonlyPaths") = json!(paths);
        }
        devices.iter().flatten().try_for_each(|path| self.device(path))?;
        limits.iter().try_for_each(|limits| self.limits(limits))?;
        for (name, value) in sysctls.iter().flatten() {
            refused_sysctl(self.bundle.definition, name)?;
            *self.at(&format!("/linux/sysctl/{name}")) = json!(value);
        }
        if let Some(network) = network {
            self.network(*network);
        }
        self.has_network_of(sysctls.iter().flatten().map(|(name, _)| name))?;
        self.fit_map();
        self.fit_namespaces(hostname.is_some());
        Ok(())
    }

    /// Says which parameters would be the host's: those of a network that is not its own. What it has by itself is known once it was asked.
    fn has_network_of<'n>(&mut self, mut names: impl Iterator<Item = &'n String>) -> Said {
        let definition = self.bundle.definition;
        let namespaces = self.list("/linux/namespaces");
        let shares =
            !namespaces.is_empty() && !namespaces.iter().any(|namespace| namespace["type"] == "network");
        match names.find(|name| shares && name.starts_with("net.")) {
            None => Ok(()),
            Some(name) => Err(Cannot::because(format!(
                "{} cannot set `sysctls`: `{name}` is the host's without a network namespace",
                definition.runtime
            ))),
        }
    }

    /// An ordinary user has one id to map. A runtime that is told none would take those of /etc/subuid, which are none here.
    fn fit_map(&mut self) {
        let is_new = self.list("/linux/namespaces").iter().any(|namespace| namespace["type"] == "user");
        if Uid::effective().is_root() || !is_new {
            return;
        }
        let own = [("uidMappings", Uid::effective().as_raw()), ("gidMappings", Gid::effective().as_raw())];
        for (name, id) in own {
            let map = self.list(&format!("/linux/{name}"));
            if map.is_empty() {
                map.push(json!({ "containerID": 0, "hostID": id, "size": 1 }));
            }
        }
    }

    /// Without a namespace of its own a sandbox cannot have what belongs to it: its name is the host's, and in a user namespace `/sys` and
    /// `/dev/mqueue`, whose file systems only the owner of the namespace may mount (`user_namespaces(7)`), are the host's too.
    fn fit_namespaces(&mut self, named: bool) {
        let namespaces = self.list("/linux/namespaces").clone();
        let owns = |kind: &str| namespaces.iter().any(|namespace| namespace["type"] == kind);
        if !owns("uts")
            && !named
            && let Some(config) = self.json.as_object_mut()
        {
            config.remove("hostname");
        }
        for (kind, target) in [("network", "/sys"), ("ipc", "/dev/mqueue")] {
            let foreign = owns("user") && !owns(kind);
            if foreign {
                self.take_from_host(target);
            }
        }
    }

    /// Says what cannot be set at all. A configuration has a place for everything: whether the runtime does it is for its file to say.
    fn refused(&self, settings: &Settings) -> Said {
        let user = settings.user.as_ref().is_some_and(|user| user.uid.is_some() || user.gid.is_some());
        let set = [
            ("user", user),
            ("hostname", settings.hostname.is_some()),
            ("env", settings.env.is_some()),
            ("cwd", settings.cwd.is_some()),
            ("capabilities", settings.capabilities.is_some()),
            ("no_new_privs", settings.no_new_privs.is_some()),
            ("seccomp", settings.seccomp.is_some()),
            ("root", settings.root.is_some()),
            ("mounts", settings.mounts.is_some()),
            ("mask", settings.mask.is_some()),
            ("read_only", settings.read_only.is_some()),
            ("devices", settings.devices.is_some()),
            ("sysctls", settings.sysctls.is_some()),
            ("network", settings.network.is_some()),
        ];
        let definition = self.bundle.definition;
        let refused = set.iter().find(|(name, set)| *set && definition.cannot.contains_key(*name));
        refused.map_or(Ok(()), |(name, _)| Err(cannot(definition, name)))
    }

    /// What is mounted at the target is what the host has there, if it has anything.
    fn take_from_host(&mut self, target: &str) {
        let options = json!(["rbind", "nosuid", "noexec", "nodev", "ro"]);
        let bind = json!({ "destination": target, "type": "bind", "source": target, "options": options });
        let mounts = self.list("/mounts");
        mounts.retain(|mount| mount["destination"] != target || Path::new(target).exists());
        mounts
            .iter_mut()
            .filter(|mount| mount["destination"] == target)
            .for_each(|mount| *mount = bind.clone());
    }

    fn namespaces(&mut self, asked: &Namespaces) -> Said {
        if !asked.0.contains(&Namespace::Mount) {
            let name = &self.bundle.definition.runtime;
            return Err(Cannot::because(format!("{name} cannot share the mount namespace")));
        }
        refused_together(self.bundle.definition, asked)?;
        for namespace in &asked.0 {
            let what = format!("new.{}", namespace.name());
            if self.bundle.definition.cannot.contains_key(&what) {
                return Err(cannot(self.bundle.definition, &what));
            }
        }
        let types: Vec<Value> =
            asked.0.iter().map(|namespace| json!({ "type": oci_name(*namespace) })).collect();
        *self.at("/linux/namespaces") = json!(types);
        Ok(())
    }

    fn user(&mut self, user: &User) {
        if let Some(uid) = user.uid {
            *self.at("/process/user/uid") = json!(uid);
        }
        if let Some(gid) = user.gid {
            *self.at("/process/user/gid") = json!(gid);
        }
    }

    fn map(&mut self, map: &[IdRange]) {
        let range = |range: &IdRange| json!({ "containerID": range.inside, "hostID": range.outside, "size": range.count });
        let ranges: Vec<Value> = map.iter().map(range).collect();
        *self.at("/linux/uidMappings") = json!(ranges);
        *self.at("/linux/gidMappings") = json!(ranges);
        let namespaces = self.list("/linux/namespaces");
        if !namespaces.iter().any(|namespace| namespace["type"] == "user") {
            namespaces.push(json!({ "type": "user" }));
        }
    }

    /// Those of no set are not ambient or inheritable either.
    fn capabilities(&mut self, given: &Capabilities) {
        let names = given.keep.as_ref().or(given.drop.as_ref()).cloned().unwrap_or_default();
        let keeps = given.keep.is_some();
        let is_kept = |name: &&&str| names.iter().any(|given| given == **name) == keeps;
        // What the runner lacks it cannot give: of all but a few that is no part.
        let kept = CAPABILITIES.iter().filter(is_kept).filter(|name| keeps || sys::may_give(name));
        let kept: Vec<String> = kept.map(|name| format!("CAP_{}", name.to_ascii_uppercase())).collect();
        *self.at("/process/capabilities") = json!({ "bounding": kept, "effective": kept, "permitted": kept });
    }

    fn seccomp(&mut self, filter: &str) -> Said {
        let filter = match (filter, self.bundle.directory) {
            ("default", _) => native::default_profile(),
            ("none", _) | (_, None) => Value::Null,
            (path, Some(directory)) => self.profile(&directory.join(path))?,
        };
        *self.at("/linux/seccomp") = filter;
        Ok(())
    }

    fn profile(&mut self, path: &Path) -> Result<Value, Cannot> {
        let unusable = |reason: String| Cannot::because(format!("cannot use {}: {reason}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let profile = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        Ok(oci_seccomp::translated(profile, self.list("/process/capabilities/bounding")))
    }

    fn mount(&mut self, mount: &Mount) {
        let directory = self.bundle.directory.unwrap_or(Path::new("/"));
        let source = mount.source.as_ref().map(|source| directory.join(source));
        let kind = mount.kind.as_deref().unwrap_or("bind");
        let mut options = mount.options.clone();
        if kind == "bind" {
            options.push("rbind".to_owned());
        }
        let source = source.map_or_else(|| kind.to_owned(), |source| source.to_string_lossy().into_owned());
        let entry =
            json!({ "destination": mount.target, "type": kind, "source": source, "options": options });
        self.put_mount(entry);
    }

    /// What is asked for takes the place of what the runtime would mount there: over a `/sys` no second one can be mounted, and of two
    /// file systems the lower could be uncovered.
    fn put_mount(&mut self, entry: Value) {
        let mounts = self.list("/mounts");
        match mounts.iter_mut().find(|mount| mount["destination"] == entry["destination"]) {
            Some(mount) => *mount = entry,
            None => mounts.push(entry),
        }
    }

    /// It is made, and the cgroup lets it be used.
    fn device(&mut self, path: &str) -> Said {
        let found = std::fs::metadata(path)
            .ok()
            .filter(|found| found.file_type().is_char_device() || found.file_type().is_block_device());
        let found = found.ok_or_else(|| Cannot::because(format!("the host has no device {path}")))?;
        let kind = if found.file_type().is_char_device() { "c" } else { "b" };
        let (major, minor) = (libc::major(found.rdev()), libc::minor(found.rdev()));
        let node = json!({ "path": path, "type": kind, "major": major, "minor": minor, "fileMode": found.mode() & 0o777 });
        self.list("/linux/devices").push(node);
        let rule = json!({ "allow": true, "type": kind, "major": major, "minor": minor, "access": "rwm" });
        self.list("/linux/resources/devices").push(rule);
        Ok(())
    }

    fn limits(&mut self, limits: &Limits) -> Said {
        for (name, value) in named(limits) {
            let what = format!("limits.{name}");
            if self.bundle.definition.cannot.contains_key(&what) {
                return Err(cannot(self.bundle.definition, &what));
            }
            match name {
                "memory" => *self.at("/linux/resources/memory/limit") = json!(value),
                "pids" => *self.at("/linux/resources/pids/limit") = json!(value),
                // Of a period of 100 ms.
                "cpu" => {
                    *self.at("/linux/resources/cpu") = json!({ "quota": value * 1000, "period": 100_000 });
                }
                _ => self.rlimit(name, value),
            }
        }
        Ok(())
    }

    fn rlimit(&mut self, name: &str, value: u64) {
        let name = if name == "address_space" { "as" } else { name };
        let kind = format!("RLIMIT_{}", name.to_ascii_uppercase());
        let list = self.list("/process/rlimits");
        list.retain(|limit| limit["type"] != kind.as_str());
        list.push(json!({ "type": kind, "soft": value, "hard": value }));
    }

    fn network(&mut self, network: Network) {
        let is_net = |namespace: &Value| namespace["type"] == "network";
        let list = self.list("/linux/namespaces");
        list.retain(|namespace| !is_net(namespace));
        if network == Network::None {
            list.push(json!({ "type": "network" }));
        }
    }
}

/// As config-linux.md names it.
const fn oci_name(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Net => "network",
        other => other.name(),
    }
}
