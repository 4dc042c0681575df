//! What is otherwise where an ordinary user runs a runtime: its file's `unprivileged`.

use indexmap::IndexMap;
use serde::Deserialize;

use super::definition::{Definition, New, Rootfs, Spellings};
use super::known::KnownIssue;
use super::words::Word;
use crate::spec::{Limits, Namespace, Settings};

/// What takes the place of a file's own keys for an ordinary user. What is left out is as it is for root.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Unprivileged {
    /// Programs that must be there besides.
    pub(super) programs: Vec<String>,
    pub(super) run: Option<Vec<Word>>,
    pub(super) bundle: Option<Vec<Word>>,
    /// Each takes the place of the spelling that the setting has; of `new` the parts do, and of `limits` each limit.
    pub(super) settings: Spellings,
    /// What he cannot express besides, however it is spelled for root.
    pub(super) cannot: IndexMap<String, String>,
    /// Where it is left out, root's without what he cannot express.
    pub(super) hardened: Option<Settings>,
    /// What it is known not to give him besides.
    pub(super) known_issues: Vec<KnownIssue>,
}

/// What he cannot express wherever the launcher puts the root filesystem together: that takes a user namespace, in which there is his own id
/// alone, and newuidmap(1), as a program that is another user's, has no more rights than any (`user_namespaces(7)`).
const ONE_ID: &str =
    "in the user namespace in which an ordinary user's root filesystem is put together there is one id";

impl Definition {
    /// As it is for who runs it.
    pub(super) fn for_caller(mut self, is_root: bool) -> Self {
        let Some(unprivileged) = self.unprivileged.take_if(|_| !is_root) else { return self };
        let Unprivileged { programs, run, bundle, settings, mut cannot, hardened, known_issues } =
            unprivileged;
        self.needs.clear();
        self.programs.extend(programs);
        self.run = run.unwrap_or(self.run);
        self.bundle = bundle.or(self.bundle);
        if self.rootfs != Rootfs::Imported {
            cannot.entry("user.map".to_owned()).or_insert_with(|| ONE_ID.to_owned());
        }
        cannot.keys().for_each(|what| self.settings.forget(what));
        let expressed =
            |settings: Settings| cannot.keys().fold(settings, |settings, what| without(settings, what));
        self.hardened = hardened.or(self.hardened.take().map(expressed));
        self.settings.replace_by(settings);
        self.cannot.extend(cannot);
        self.known_issues.extend(known_issues);
        self
    }
}

/// A profile without one of its settings, or a part of it.
fn without(mut settings: Settings, what: &str) -> Settings {
    match what.split_once('.').unwrap_or((what, "")) {
        ("user", "") => settings.user = None,
        ("limits", "") => settings.limits = None,
        ("limits", name) => settings.limits.iter_mut().for_each(|limits| {
            let Limits { memory, pids, cpu, .. } = limits;
            match name {
                "memory" => *memory = None,
                "pids" => *pids = None,
                "cpu" => *cpu = None,
                _ => {}
            }
        }),
        ("devices", _) => settings.devices = None,
        ("sysctls", _) => settings.sysctls = None,
        ("hostname", _) => settings.hostname = None,
        ("network", _) => settings.network = None,
        _ => {}
    }
    settings
}

impl Spellings {
    /// Every setting is named here: one that is added must be replaced too.
    fn replace_by(&mut self, other: Self) {
        let Self {
            new,
            user,
            map,
            map_from_zero,
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
            flags,
        } = other;
        if let Some(new) = new {
            self.new.get_or_insert_default().replace_by(new);
        }
        put(&mut self.user, user);
        put(&mut self.map, map);
        put(&mut self.map_from_zero, map_from_zero);
        put(&mut self.hostname, hostname);
        put(&mut self.env, env);
        put(&mut self.cwd, cwd);
        put(&mut self.capabilities, capabilities);
        put(&mut self.no_new_privs, no_new_privs);
        put(&mut self.seccomp, seccomp);
        put(&mut self.root, root);
        put(&mut self.mounts, Some(mounts).filter(|mounts| !mounts.is_empty()));
        put(&mut self.mask, mask);
        put(&mut self.read_only, read_only);
        put(&mut self.devices, devices);
        self.limits.extend(limits);
        put(&mut self.sysctls, sysctls);
        put(&mut self.network, network);
        self.flags.extend(flags);
    }

    /// As if a setting, or a part of one, had no words. What is refused by its name alone has none to be taken away.
    fn forget(&mut self, what: &str) {
        match what.split_once('.').unwrap_or((what, "")) {
            ("new", "") => self.new = None,
            ("new", name) => self.new.iter_mut().for_each(|new| new.with.retain(|one, _| one.name() != name)),
            ("user", "") => self.user = None,
            ("user", _) => (self.map, self.map_from_zero) = (None, None),
            ("limits", "") => self.limits.clear(),
            ("limits", name) => drop(self.limits.shift_remove(name)),
            ("capabilities", "") => self.capabilities = None,
            ("sysctls", "") => self.sysctls = None,
            ("root", _) => {
                if let Some(root) = &mut self.root {
                    (root.read_only, root.writable) = (None, None);
                }
            }
            ("hostname", _) => self.hostname = None,
            ("env", _) => self.env = None,
            ("cwd", _) => self.cwd = None,
            ("no_new_privs", _) => self.no_new_privs = None,
            ("seccomp", _) => self.seccomp = None,
            ("mounts", _) => self.mounts.clear(),
            ("mask", _) => self.mask = None,
            ("read_only", _) => self.read_only = None,
            ("devices", _) => self.devices = None,
            ("network", _) => self.network = None,
            _ => {}
        }
    }
}

impl New {
    /// What is always there need not be asked for.
    fn replace_by(&mut self, other: Self) {
        let Self { first, always, without, with } = other;
        put(&mut self.first, Some(first).filter(|words| !words.is_empty()));
        put(&mut self.always, Some(always).filter(|namespaces| !namespaces.is_empty()));
        self.without.extend(without);
        self.with.extend(with);
        let is_always = |namespace: &Namespace| self.always.contains(namespace);
        self.without.retain(|namespace, _| !is_always(namespace));
        self.with.retain(|namespace, _| !is_always(namespace));
    }
}

/// Puts what is there in the place of another.
fn put<T>(place: &mut T, value: Option<impl Into<T>>) {
    if let Some(value) = value {
        *place = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::command::spell::spell;
    use crate::sandbox::command::words::Values;

    const FILE: &str = "
runtime: x
about: x
program: x
version: { run: [], matches: '(x)' }
needs: [root]
rootfs: directory
run: ['{rootfs}']
settings:
  new: { always: [mount], with: { user: [user], pid: [pid], net: [net] } }
  user: [user, '{uid}']
  map: [map, '{outside}']
  hostname: [hostname, '{value}']
  limits: { memory: [memory, '{value}'], nofile: [nofile, '{value}'] }
cannot: { new.time: no reason }
hardened: { hostname: h, limits: { memory: 1KiB, nofile: 5 } }
unprivileged:
  run: [rootless, '{rootfs}']
  settings: { new: { always: [user, mount] }, hostname: [name, '{value}'] }
  cannot: { limits.memory: no cgroup, new.net: no network }
";

    /// As root and as an ordinary user: the words, or why there are none.
    fn check(settings: &str, root: Result<&str, &str>, user: Result<&str, &str>) {
        for (is_root, expected) in [(true, root), (false, user)] {
            let definition = serde_yaml::from_str::<Definition>(FILE).unwrap().for_caller(is_root);
            let asked: Settings = serde_yaml::from_str(settings).unwrap();
            let values = Values::default().with("rootfs", "/r");
            let spelled = spell(&definition, &asked, std::path::Path::new("/"), &values);
            let spelled = spelled.map(|spelled| spelled.settings.join(" ")).map_err(|cannot| cannot.reason);
            assert_eq!(
                spelled,
                expected.map(str::to_owned).map_err(str::to_owned),
                "{settings}, root: {is_root}"
            );
        }
    }

    #[test]
    fn settings_are_spelled_as_for_who_asks() {
        check("{ hostname: a }", Ok("hostname a"), Ok("name a"));
        check("{ user: { uid: 7 } }", Ok("user 7"), Ok("user 7"));
        check("{ new: [mount, pid] }", Ok("pid"), Err("x cannot share the user namespace"));
        check("{ new: [user, mount, pid] }", Ok("user pid map 100000"), Ok("pid"));
        check(
            "{ new: [user, mount, net] }",
            Ok("user net map 100000"),
            Err("x cannot set `new.net`: no network"),
        );
        check("{ limits: { nofile: 5 } }", Ok("nofile 5"), Ok("nofile 5"));
        check(
            "{ limits: { memory: 5KiB } }",
            Ok("memory 5120"),
            Err("x cannot set `limits.memory`: no cgroup"),
        );
        let map = "{ user: { map: [{ inside: 0, outside: 7, count: 1 }] } }";
        let one_id = format!("x cannot set `user.map`: {ONE_ID}");
        check(map, Ok("map 7"), Err(&one_id));
        let time = Err("x cannot set `new.time`: no reason");
        check("{ new: [user, mount, time] }", time, time);
    }

    #[test]
    fn the_rest_is_as_for_who_asks() {
        let definition = serde_yaml::from_str::<Definition>(FILE).unwrap();
        let (root, user) = (definition.clone().for_caller(true), definition.for_caller(false));
        let said = |definition: &Definition| {
            let run: Vec<String> = definition.run.iter().map(ToString::to_string).collect();
            let limits = definition.hardened.clone().and_then(|hardened| hardened.limits).unwrap_or_default();
            (run.join(" "), definition.needs.len(), limits.memory.is_some(), limits.nofile)
        };
        assert_eq!(said(&root), ("{rootfs}".to_owned(), 1, true, Some(5)));
        assert_eq!(said(&user), ("rootless {rootfs}".to_owned(), 0, false, Some(5)));
    }
}
