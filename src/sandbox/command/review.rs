//! What is wrong with a runtime's file although each of its keys has a value of the right kind: placeholders where they stand for nothing,
//! and keys that do not fit together.

use indexmap::IndexMap;
use serde_json::Value;

use super::definition::{Definition, Rootfs, Spellings};
use super::in_vm::InVm;
use super::unprivileged::Unprivileged;
use super::words;
use crate::spec::{Down, Fault, Namespace, one_of};

/// What stands for words rather than for a part of one.
const MANY: [&str; 6] = ["command", "settings", "env", "root", "flags", "removes_itself"];

/// What has a meaning for a sandbox that is to be made, or is there.
const SANDBOX: [&str; 7] = ["program", "rootfs", "bundle", "state", "id", "agent", "image"];

/// What has a meaning in the words of a key, besides what [`SANDBOX`] has; a `*` stands for any key.
const BESIDES: [(&[&str], &[&str]); 27] = [
    (&["run"], &MANY),
    (&["exec"], &["command", "exec"]),
    (&["kill"], &["signal"]),
    (&["delete"], &[]),
    (&["reports", "*", "run"], &[]),
    (&["settings", "root", "*"], &[]),
    (&["settings", "new", "first"], &[]),
    (&["settings", "new", "*", "*"], &[]),
    (&["settings", "user"], &["uid", "gid"]),
    (&["settings", "map"], &["inside", "outside", "count"]),
    (&["settings", "map_from_zero"], &["outside", "count"]),
    (&["settings", "hostname"], &["value"]),
    (&["settings", "cwd"], &["value"]),
    (&["settings", "env", "first"], &[]),
    (&["settings", "capabilities", "none"], &[]),
    (&["settings", "capabilities", "*", "first"], &["names"]),
    (&["settings", "no_new_privs", "*"], &[]),
    (&["settings", "seccomp", "profile"], &["path"]),
    (&["settings", "seccomp", "*"], &[]),
    (&["settings", "mounts", "words"], &["source", "target", "options", "place"]),
    (&["settings", "mask", "*"], &["path"]),
    (&["settings", "read_only"], &["path", "origin"]),
    (&["settings", "devices"], &["path"]),
    (&["settings", "limits", "cpu"], &["value", "cpus", "percent"]),
    (&["settings", "limits", "*"], &["value"]),
    (&["settings", "network", "*"], &[]),
    (&["settings", "flags", "*"], &[]),
];

/// The same of those where nothing else has a meaning.
const ALONE: [(&[&str], &[&str]); 9] = [
    (&["version", "run"], &["program"]),
    (&["ready"], &["program"]),
    (&["list"], &["program"]),
    (&["bundle"], &["program", "bundle"]),
    (&["image", "list"], &["program"]),
    (&["image", "*"], &["program", "image"]),
    (&["settings", "capabilities", "*", "each"], &["name", "NAME"]),
    (&["settings", "env", "each"], &["name", "value"]),
    (&["settings", "sysctls"], &["name", "value"]),
];

/// The settings that a spec can ask for, and the parts by which a file can say that it cannot express them.
const SETTINGS: [(&str, &[&str]); 15] = [
    ("new", &[]),
    ("user", &["map"]),
    ("hostname", &[]),
    ("env", &[]),
    ("cwd", &[]),
    ("capabilities", &["keep", "drop"]),
    ("no_new_privs", &[]),
    ("seccomp", &[]),
    ("root", &[]),
    ("mounts", &[]),
    ("mask", &[]),
    ("read_only", &[]),
    ("devices", &[]),
    ("sysctls", &["kernel", "net", "fs", "user", "vm"]),
    ("network", &[]),
];

/// What is otherwise for an ordinary user, which has keys of the same names.
const UNPRIVILEGED: &str = "unprivileged";

/// The names of limits.
const LIMITS: [&str; 10] =
    ["memory", "pids", "cpu", "nofile", "nproc", "core", "fsize", "stack", "memlock", "address_space"];

/// All that is wrong. `file` is the same as `definition`, as it was written.
pub(super) fn review(definition: &Definition, file: &Value) -> Vec<Fault> {
    let mut review = Review { definition, file, faults: Vec::new() };
    review.words(file, &mut Vec::new());
    review.form();
    review.needs();
    review.names();
    review.values();
    review.faults
}

struct Review<'a> {
    definition: &'a Definition,
    file: &'a Value,
    faults: Vec<Fault>,
}

impl Review<'_> {
    /// Looks at each word of each command line.
    fn words(&mut self, value: &Value, path: &mut Vec<Down>) {
        let children: Vec<(Down, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (Down::Key(key.clone()), value)).collect(),
            Value::Array(list) => {
                list.iter().enumerate().map(|(index, value)| (Down::Index(index), value)).collect()
            }
            Value::String(word) => return self.word(word, path),
            _ => return,
        };
        for (step, value) in children {
            path.push(step);
            self.words(value, path);
            path.pop();
        }
    }

    fn word(&mut self, word: &str, path: &[Down]) {
        let keys: Vec<&str> = path.iter().filter_map(key).collect();
        // What is otherwise for an ordinary user has the same words.
        let meant = keys.strip_prefix(&[UNPRIVILEGED]).unwrap_or(&keys);
        let Some(known) = self.meanings(meant) else { return };
        for name in words::placeholders(word) {
            if !known.contains(&name) {
                let known: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
                let message = format!("`{{{name}}}` stands for nothing in `{}`", keys.join("."));
                self.fault(path, message, format!("here there are {}", known.join(" ")));
            } else if MANY.contains(&name) && word != format!("{{{name}}}") {
                let message =
                    format!("`{{{name}}}` stands for any number of words, and not for a part of one");
                self.fault(path, message, format!("write `'{{{name}}}'` as a word of its own"));
            }
        }
    }

    /// What has a meaning there; `None` where there are no words of a command line.
    fn meanings(&self, keys: &[&str]) -> Option<Vec<&'static str>> {
        let fits = |pattern: &&[&str]| {
            pattern.len() == keys.len()
                && pattern.iter().zip(keys).all(|(one, key)| *one == "*" || one == key)
        };
        if let Some((_, alone)) = ALONE.iter().find(|(pattern, _)| fits(pattern)) {
            return Some(alone.to_vec());
        }
        let (_, besides) = BESIDES.iter().find(|(pattern, _)| fits(pattern))?;
        let lacks: &[&str] = match self.definition.rootfs {
            Rootfs::Directory => &["bundle", "image"],
            Rootfs::Bundle if keys == ["run"] => &["image", "settings", "root", "command", "env"],
            Rootfs::Bundle => &["image"],
            Rootfs::Imported => &["bundle", "rootfs", "state"],
        };
        Some(SANDBOX.iter().chain(*besides).copied().filter(|name| !lacks.contains(name)).collect())
    }

    /// What the form of the root filesystem needs, and what it has no use for.
    fn form(&mut self) {
        let Definition { rootfs, bundle, image, .. } = self.definition;
        let (form, bundle, image) = (*rootfs, bundle.is_some(), image.is_some());
        self.belongs(
            form == Rootfs::Bundle,
            bundle,
            "bundle",
            "`rootfs: bundle`: what makes the config.json that the settings are written to",
        );
        self.belongs(
            form == Rootfs::Imported,
            image,
            "image",
            "`rootfs: imported`: how the engine is given the image",
        );
        if form != Rootfs::Bundle && self.has(&[UNPRIVILEGED, "bundle"]) {
            let help =
                "it goes with `rootfs: bundle`: what makes the config.json that the settings are written to";
            self.at_key(&[UNPRIVILEGED, "bundle"], "`bundle` has no use with another form of `rootfs`", help);
        }
        for place in [&["settings"][..], &[UNPRIVILEGED, "settings"]] {
            if form == Rootfs::Bundle && self.has(place) {
                let help = "take it away: with `rootfs: bundle` the settings are written to its config.json";
                self.at_key(place, "`settings` has no use with `rootfs: bundle`", help);
            }
        }
    }

    /// Whether the file has a key at this place.
    fn has(&self, place: &[&str]) -> bool {
        place.iter().try_fold(self.file, |value, key| value.get(key)).is_some()
    }

    fn belongs(&mut self, needed: bool, there: bool, name: &str, with: &str) {
        if needed && !there {
            self.fault(
                &at(&["rootfs"]),
                format!("the runtime lacks `{name}`"),
                format!("add `{name}: …`, which goes with {with}"),
            );
        } else if there && !needed {
            self.at_key(
                &[name],
                &format!("`{name}` has no use with another form of `rootfs`"),
                &format!("it goes with {with}"),
            );
        }
    }

    /// Without these its command lines would run something else, or nothing.
    fn needs(&mut self) {
        let Definition { rootfs, exec, kill, list, delete, removes_itself, settings, unprivileged, .. } =
            self.definition;
        let form = *rootfs;
        let runs = if form == Rootfs::Bundle { "bundle" } else { "command" };
        let unprivileged = unprivileged.as_ref();
        let settings = [Some(settings), unprivileged.map(|otherwise| &otherwise.settings)];
        let root = settings.into_iter().flatten().filter_map(|settings| settings.root.as_ref());
        let mut words =
            root.flat_map(|root| [Some(&root.unset), root.read_only.as_ref(), root.writable.as_ref()]);
        let says_root = words.any(|words| words.is_some_and(|words| !words.is_empty()));
        let spells = self.has(&["settings"]) || self.has(&[UNPRIVILEGED, "settings"]);
        let own = unprivileged.is_some_and(|otherwise| otherwise.run.is_some());
        for run in [Some(&["run"][..]), own.then_some(&[UNPRIVILEGED, "run"])].into_iter().flatten() {
            self.lacks(run, runs, &[]);
            match form {
                Rootfs::Directory => {
                    self.lacks(run, "rootfs", &[&["settings", "root"], &[UNPRIVILEGED, "settings", "root"]]);
                }
                Rootfs::Imported => {
                    self.lacks(run, "image", &[]);
                    self.lacks(run, "agent", &[]);
                }
                Rootfs::Bundle => {}
            }
            if form != Rootfs::Bundle && spells {
                self.lacks(run, "settings", &[]);
            }
            if says_root {
                self.lacks(run, "root", &[]);
            }
            if removes_itself.as_ref().is_some_and(|words| !words.is_empty()) {
                self.lacks(run, "removes_itself", &[]);
            }
        }
        if exec.is_some() {
            self.lacks(&["exec"], "command", &[]);
        }
        if kill.is_some() {
            self.lacks(&["kill"], "signal", &[]);
        }
        if removes_itself.is_some() && (list.is_none() || delete.is_none()) {
            self.at_key(
                &["removes_itself"],
                "`removes_itself` has no use without `list` and `delete`",
                "add `list: …` and `delete: …`: what has not removed itself is found and deleted by them",
            );
        }
        if list.is_some() && delete.is_none() {
            self.at_key(
                &["list"],
                "`list` has no use without `delete`",
                "add `delete: …`: what is listed and left over is deleted",
            );
        }
    }

    /// Holds that a placeholder is in the words at `place`, or of one of the others.
    fn lacks(&mut self, place: &[&str], name: &str, others: &[&[&str]]) {
        let placeholder = format!("{{{name}}}");
        let is_there = |place: &&[&str]| {
            let value = place.iter().try_fold(self.file, |value, key| value.get(key));
            value.is_some_and(|value| value.to_string().contains(&placeholder))
        };
        if !others.iter().chain([&place]).any(is_there) {
            let message = format!("`{}` lacks `{placeholder}`", place.join("."));
            self.fault(&at(place), message, format!("write `'{placeholder}'` where it belongs"));
        }
    }

    /// Names that the format itself does not hold to a list.
    fn names(&mut self) {
        let Definition { settings, cannot, unprivileged, .. } = self.definition;
        self.names_of(&[], settings, cannot);
        if let Some(Unprivileged { settings, cannot, .. }) = unprivileged {
            self.names_of(&[UNPRIVILEGED], settings, cannot);
        }
    }

    /// Those below a place.
    fn names_of(&mut self, place: &[&str], settings: &Spellings, cannot: &IndexMap<String, String>) {
        let below = |keys: &[&str]| [place, keys].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut wrong = Vec::new();
        for name in settings.limits.keys().filter(|name| !LIMITS.contains(&name.as_str())) {
            let place = below(&["settings", "limits", name]);
            wrong.push((place, format!("unknown limit `{name}`"), one_of(name, LIMITS)));
        }
        for what in cannot.keys() {
            if let Err(help) = setting(what) {
                wrong.push((below(&["cannot", what]), format!("unknown setting `{what}`"), help));
            }
        }
        let new = settings.new.clone().unwrap_or_default();
        for (key, map) in [("without", &new.without), ("with", &new.with)] {
            for namespace in map.keys().filter(|namespace| new.always.contains(namespace)) {
                let name = namespace.name();
                let message = format!("`{name}` is among those that are always there");
                let help = "take it from `always`, or from here".to_owned();
                wrong.push((below(&["settings", "new", key, name]), message, help));
            }
        }
        for (place, message, help) in wrong {
            self.at_key(&place.iter().map(String::as_str).collect::<Vec<_>>(), &message, &help);
        }
    }

    /// Values that no runtime could do with.
    fn values(&mut self) {
        let Definition { version, unmount, places, patience, .. } = self.definition;
        if version.matches.0.captures_len() < 2 {
            let message = format!("`{}` has no group", version.matches.0.as_str());
            self.fault(
                &at(&["version", "matches"]),
                message,
                "put the version in parentheses: `(\\S+)`".to_owned(),
            );
        }
        if patience.is_some_and(|patience| patience.0.is_zero()) {
            self.fault(
                &at(&["patience"]),
                "nothing answers within no time".to_owned(),
                "write `10s`".to_owned(),
            );
        }
        for (keys, paths) in [(&["unmount"][..], unmount), (&["places"], places)] {
            self.absolute(keys, paths);
        }
        self.absolute_keys(&["files"], &self.definition.files);
        self.in_vm(&self.definition.vm);
    }

    /// What it has in a VM.
    fn in_vm(&mut self, vm: &InVm) {
        self.absolute(&["vm", "copies"], &vm.copies);
        self.absolute_keys(&["vm", "files"], &vm.files);
        let relative = |name: &str| name.is_empty() || name.contains('/') && !name.starts_with('/');
        let names = vm.programs.iter().enumerate().filter(|(_, name)| relative(name));
        for (index, name) in names {
            let message = format!("`{name}` is neither a name nor an absolute path");
            let help = "write the program's name, which is looked for on the PATH, or its whole path";
            self.fault(&item(&["vm", "programs"], index), message, help.to_owned());
        }
        let odd = |name: &str| {
            name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        for (index, name) in vm.modules.iter().enumerate().filter(|(_, name)| odd(name)) {
            let help = "write it as lsmod(8) does, without a path and `.ko`".to_owned();
            self.fault(&item(&["vm", "modules"], index), format!("`{name}` is no module's name"), help);
        }
    }

    /// Holds that these are absolute paths.
    fn absolute(&mut self, keys: &[&str], paths: &[String]) {
        for (index, path) in paths.iter().enumerate().filter(|(_, path)| !path.starts_with('/')) {
            self.fault(
                &item(keys, index),
                format!("`{path}` is no absolute path"),
                format!("write `/{path}`"),
            );
        }
    }

    /// The same of keys.
    fn absolute_keys(&mut self, keys: &[&str], files: &IndexMap<String, String>) {
        for path in files.keys().filter(|path| !path.starts_with('/')) {
            let message = format!("`{path}` is no absolute path");
            self.at_key(&[keys, &[path]].concat(), &message, &format!("write `/{path}`"));
        }
    }

    fn fault(&mut self, path: &[Down], message: String, help: String) {
        self.faults.push(Fault { path: path.to_vec(), of_key: false, message, help });
    }

    /// A fault of a key itself.
    fn at_key(&mut self, path: &[&str], message: &str, help: &str) {
        self.faults.push(Fault {
            path: at(path),
            of_key: true,
            message: message.to_owned(),
            help: help.to_owned(),
        });
    }
}

/// Whether it is a setting, or a part of one; the mend if it is none.
fn setting(what: &str) -> Result<(), String> {
    let (name, part) = what.split_once('.').map_or((what, None), |(name, part)| (name, Some(part)));
    // `new.user without pid` is what cannot be made together.
    if let Some((one, other)) = what.split_once(" without ").filter(|_| what.starts_with("new.")) {
        return setting(one).and_then(|()| setting(&format!("new.{other}")));
    }
    let namespaces = Namespace::ALL.map(Namespace::name);
    let names = SETTINGS.iter().map(|(name, _)| *name).chain(["limits"]);
    let parts: &[&str] = match name {
        "new" => &namespaces,
        "limits" => &LIMITS,
        _ => {
            SETTINGS
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| one_of(name, names.collect::<Vec<_>>()))?
                .1
        }
    };
    // Of parameters also one alone: `sysctls.kernel.domainname`.
    let part = if name == "sysctls" { part.and_then(|part| part.split('.').next()) } else { part };
    match part {
        Some(part) if parts.is_empty() => Err(format!("`{name}` has no part `{part}`: write `{name}`")),
        Some(part) if !parts.contains(&part) => Err(one_of(part, parts.iter().copied())),
        _ => Ok(()),
    }
}

/// An element of a list.
fn item(keys: &[&str], index: usize) -> Vec<Down> {
    at(keys).into_iter().chain([Down::Index(index)]).collect()
}

fn at(keys: &[&str]) -> Vec<Down> {
    keys.iter().map(|key| Down::Key((*key).to_owned())).collect()
}

fn key(step: &Down) -> Option<&str> {
    match step {
        Down::Key(key) => Some(key),
        Down::Index(_) => None,
    }
}
