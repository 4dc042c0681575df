//! What is wrong with a runtime's file although each of its keys has a value of the right kind: placeholders where they stand for nothing,
//! and keys that do not fit together.

use serde_json::Value;

use super::definition::{Definition, Rootfs};
use super::words;
use crate::spec::{Down, Fault, Namespace, one_of};

/// What stands for words rather than for a part of one.
const MANY: [&str; 5] = ["command", "settings", "env", "root", "flags"];

/// What has a meaning for a sandbox that is to be made, or is there.
const SANDBOX: [&str; 7] = ["program", "rootfs", "bundle", "state", "id", "agent", "image"];

/// What has a meaning in the words of a key, besides what [`SANDBOX`] has; a `*` stands for any key.
const BESIDES: [(&[&str], &[&str]); 26] = [
    (&["run"], &MANY),
    (&["exec"], &["command", "exec"]),
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
        let Some(known) = self.meanings(&keys) else { return };
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
        let spelled = self.file.get("settings").is_some();
        if form == Rootfs::Bundle && spelled {
            let help = "take it away: with `rootfs: bundle` the settings are written to its config.json";
            self.at_key(&["settings"], "`settings` has no use with `rootfs: bundle`", help);
        }
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
        let Definition { rootfs, exec, list, delete, settings, .. } = self.definition;
        let form = *rootfs;
        let runs = if form == Rootfs::Bundle { "bundle" } else { "command" };
        self.lacks("run", runs, &["run"]);
        if exec.is_some() {
            self.lacks("exec", "command", &["exec"]);
        }
        match form {
            Rootfs::Directory => self.lacks("run", "rootfs", &["run", "settings.root"]),
            Rootfs::Imported => {
                self.lacks("run", "image", &["run"]);
                self.lacks("run", "agent", &["run"]);
            }
            Rootfs::Bundle => {}
        }
        if form != Rootfs::Bundle && self.file.get("settings").is_some() {
            self.lacks("run", "settings", &["run"]);
        }
        let root = settings.root.clone().unwrap_or_default();
        let words = [Some(root.unset), root.read_only, root.writable];
        if words.iter().flatten().any(|words| !words.is_empty()) {
            self.lacks("run", "root", &["run"]);
        }
        if list.is_some() && delete.is_none() {
            self.at_key(
                &["list"],
                "`list` has no use without `delete`",
                "add `delete: …`: what is listed and left over is deleted",
            );
        }
    }

    /// Holds that a placeholder is in the words of `key`, or of the others, each a path.
    fn lacks(&mut self, key: &str, name: &str, places: &[&str]) {
        let placeholder = format!("{{{name}}}");
        let is_there = |place: &&str| {
            let value = self.file.pointer(&format!("/{}", place.replace('.', "/")));
            value.is_some_and(|value| value.to_string().contains(&placeholder))
        };
        if !places.iter().any(is_there) {
            let message = format!("`{key}` lacks `{placeholder}`");
            self.fault(&at(&[key]), message, format!("write `'{placeholder}'` where it belongs"));
        }
    }

    /// Names that the format itself does not hold to a list.
    fn names(&mut self) {
        for name in self.definition.settings.limits.keys().filter(|name| !LIMITS.contains(&name.as_str())) {
            self.at_key(
                &["settings", "limits", name],
                &format!("unknown limit `{name}`"),
                &one_of(name, LIMITS),
            );
        }
        for what in self.definition.cannot.keys() {
            if let Err(help) = setting(what) {
                self.at_key(&["cannot", what], &format!("unknown setting `{what}`"), &help);
            }
        }
        let new = self.definition.settings.new.clone().unwrap_or_default();
        for (key, map) in [("without", &new.without), ("with", &new.with)] {
            for namespace in map.keys().filter(|namespace| new.always.contains(namespace)) {
                let name = namespace.name();
                let message = format!("`{name}` is among those that are always there");
                self.at_key(&["settings", "new", key, name], &message, "take it from `always`, or from here");
            }
        }
    }

    /// Values that no runtime could do with.
    fn values(&mut self) {
        let Definition { version, unmount, places, files, patience, .. } = self.definition;
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
        for (key, paths) in [("unmount", unmount), ("places", places)] {
            for (index, path) in paths.iter().enumerate().filter(|(_, path)| !path.starts_with('/')) {
                let path_to = [Down::Key(key.to_owned()), Down::Index(index)];
                self.fault(&path_to, format!("`{path}` is no absolute path"), format!("write `/{path}`"));
            }
        }
        for path in files.keys().filter(|path| !path.starts_with('/')) {
            self.at_key(
                &["files", path],
                &format!("`{path}` is no absolute path"),
                &format!("write `/{path}`"),
            );
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
    match part {
        Some(part) if parts.is_empty() => Err(format!("`{name}` has no part `{part}`: write `{name}`")),
        Some(part) if !parts.contains(&part) => Err(one_of(part, parts.iter().copied())),
        _ => Ok(()),
    }
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
