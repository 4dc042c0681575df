//! Settings as words of a runtime's command line. What is asked for and has no word is an error, never dropped.

use std::path::Path;

use super::definition::{Definition, Each, MountForm, New, Spellings};
use super::ids::id_map;
use super::words::{Values, Word, fill};
use crate::sandbox::runtime::Cannot;
use crate::spec::{Capabilities, IdRange, Limits, Mount, Namespaces, Network, Root, Settings, User};
use crate::sys::{self, CAPABILITIES};

/// What stands for `{root}`, `{env}`, `{settings}` and `{flags}`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Spelled {
    pub(super) env: Vec<String>,
    pub(super) root: Vec<String>,
    pub(super) settings: Vec<String>,
    pub(super) flags: Vec<String>,
}

type Said = Result<(), Cannot>;

/// Spells settings. Paths in them are relative to `directory`; `values` are what the sandbox's other placeholders stand for.
pub(super) fn spell(
    definition: &Definition,
    settings: &Settings,
    directory: &Path,
    values: &Values,
) -> Result<Spelled, Cannot> {
    let mut speller =
        Speller { definition, spellings: &definition.settings, values, directory, words: Vec::new() };
    let root = speller.root(settings.root)?;
    let env = speller.env(settings)?;
    speller.all(settings)?;
    let flags = speller.flags(settings.flags.as_deref().unwrap_or_default())?;
    Ok(Spelled { root, env, settings: speller.words, flags })
}

/// Says why a setting, or a part of one, cannot be expressed.
pub(super) fn cannot(definition: &Definition, what: &str) -> Cannot {
    let whole = what.split('.').next().unwrap_or(what);
    let reason = definition.cannot.get(what).or_else(|| definition.cannot.get(whole));
    let name = &definition.runtime;
    Cannot::because(match reason {
        Some(reason) => format!("{name} cannot set `{what}`: {reason}"),
        None => format!("{name} cannot set `{what}`"),
    })
}

struct Speller<'a> {
    definition: &'a Definition,
    spellings: &'a Spellings,
    values: &'a Values,
    directory: &'a Path,
    words: Vec<String>,
}

impl Speller<'_> {
    /// Every setting is named here: one that is added must be spelled too.
    fn all(&mut self, settings: &Settings) -> Said {
        let Settings {
            // What they are is not told by words, or is told elsewhere.
            image: _,
            command: _,
            root: _,
            flags: _,
            launcher: _,
            profile: _,
            env: _,
            planted: _,
            new,
            user,
            hostname,
            cwd,
            capabilities,
            no_new_privs,
            seccomp,
            mounts,
            mask,
            read_only,
            devices,
            limits,
            sysctls,
            network,
        } = settings;
        let spellings = self.spellings;
        new.iter().try_for_each(|new| self.namespaces(new))?;
        user.iter().try_for_each(|user| self.user(user))?;
        id_map(self.definition, settings)?.iter().flatten().try_for_each(|range| self.map(*range))?;
        self.value("hostname", spellings.hostname.as_deref(), hostname.as_deref())?;
        self.value("cwd", spellings.cwd.as_deref(), cwd.as_deref())?;
        capabilities.iter().try_for_each(|capabilities| self.capabilities(capabilities))?;
        no_new_privs.iter().try_for_each(|set| self.no_new_privs(*set))?;
        seccomp.iter().try_for_each(|filter| self.seccomp(filter))?;
        network.iter().try_for_each(|network| self.network(*network))?;
        mounts.iter().flatten().try_for_each(|mount| self.mount(mount))?;
        self.none_of_its_own("mask", mask.as_deref())?;
        self.none_of_its_own("read_only", read_only.as_deref())?;
        let paths = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        paths(devices)
            .iter()
            .try_for_each(|path| self.path("devices", spellings.devices.as_deref(), path))?;
        paths(read_only).iter().try_for_each(|path| self.read_only(path))?;
        paths(mask).iter().try_for_each(|path| self.mask(path))?;
        limits.iter().try_for_each(|limits| self.limits(limits))?;
        for (name, value) in sysctls.iter().flatten() {
            refused_sysctl(self.definition, name)?;
            self.say("sysctls", spellings.sysctls.as_deref(), |_| of_pair(name, value))?;
        }
        Ok(())
    }

    /// Says words, if the setting has some.
    fn say(&mut self, what: &str, words: Option<&[Word]>, values: impl FnOnce(Values) -> Values) -> Said {
        let words = words.ok_or_else(|| cannot(self.definition, what))?;
        let words = fill(words, &values(self.values.clone()))?;
        // What two settings ask for with one word is said once: some runtimes refuse the second.
        let is_said = matches!(words.as_slice(), [word] if self.words.contains(word));
        self.words.extend(words.into_iter().filter(|_| !is_said));
        Ok(())
    }

    fn value(&mut self, what: &str, words: Option<&[Word]>, value: Option<&str>) -> Said {
        value.map_or(Ok(()), |value| self.say(what, words, |values| values.with("value", value)))
    }

    fn path(&mut self, what: &str, words: Option<&[Word]>, path: &str) -> Said {
        self.say(what, words, |values| values.with("path", path))
    }

    fn each(&mut self, what: &str, words: Option<&Each>, elements: impl Iterator<Item = Values>) -> Said {
        let words = words.ok_or_else(|| cannot(self.definition, what))?;
        self.words.extend(fill(&words.first, self.values)?);
        for element in elements {
            self.words.extend(fill(&words.each, &element)?);
        }
        Ok(())
    }

    /// Exactly these: what is there by default and not asked for is left out.
    fn namespaces(&mut self, asked: &Namespaces) -> Said {
        let New { first, always, without, with } =
            self.spellings.new.as_ref().ok_or_else(|| cannot(self.definition, "new"))?;
        refused_together(self.definition, asked)?;
        self.words.extend(fill(first, self.values)?);
        let missing = always.iter().find(|namespace| !asked.0.contains(namespace));
        if let Some(namespace) = missing {
            let (name, namespace) = (&self.definition.runtime, namespace.name());
            return Err(Cannot::because(format!("{name} cannot share the {namespace} namespace")));
        }
        for (_, words) in without.iter().filter(|(namespace, _)| !asked.0.contains(namespace)) {
            self.words.extend(fill(words, self.values)?);
        }
        let there = |namespace| always.contains(namespace) || without.contains_key(namespace);
        for namespace in asked.0.iter().filter(|namespace| !there(namespace)) {
            let words = with.get(namespace).map(Vec::as_slice);
            self.say(&format!("new.{}", namespace.name()), words, |values| values)?;
        }
        Ok(())
    }

    fn user(&mut self, user: &User) -> Said {
        let spellings = self.spellings;
        if user.uid.is_some() || user.gid.is_some() {
            let ids = [user.uid, user.gid].map(|id| id.unwrap_or(0).to_string());
            let [uid, gid] = ids;
            self.say("user", spellings.user.as_deref(), |values| values.with("uid", uid).with("gid", gid))?;
        }
        Ok(())
    }

    fn map(&mut self, range: IdRange) -> Said {
        let spellings = self.spellings;
        let words = spellings.map.as_deref().or(spellings.map_from_zero.as_deref());
        self.say("user.map", words, |values| {
            values
                .with("inside", range.inside.to_string())
                .with("outside", range.outside.to_string())
                .with("count", range.count.to_string())
        })
    }

    /// The words of the environment, if they have a place of their own; else they are said among the others.
    fn env(&mut self, settings: &Settings) -> Result<Vec<String>, Cannot> {
        let Some(env) = &settings.env else { return Ok(Vec::new()) };
        let spellings = self.spellings;
        self.each("env", spellings.env.as_ref(), env.iter().map(|(name, value)| of_pair(name, value)))?;
        let has_place = self.definition.run.iter().any(|word| word.is_placeholder("env"));
        Ok(if has_place { std::mem::take(&mut self.words) } else { Vec::new() })
    }

    /// Who has a list of its own that nothing can be taken from cannot have an empty one either.
    fn none_of_its_own(&self, what: &str, list: Option<&[String]>) -> Said {
        let cannot_have_none = list == Some(&[]) && self.definition.cannot.contains_key(what);
        if cannot_have_none { Err(cannot(self.definition, what)) } else { Ok(()) }
    }

    fn read_only(&mut self, path: &str) -> Said {
        let words = self.spellings.read_only.as_deref();
        let of_kernel = ["/proc/", "/sys/", "/dev/"].iter().any(|place| path.starts_with(place));
        let root = if of_kernel { String::new() } else { fill(&[Word::rootfs()], self.values)?.concat() };
        self.say("read_only", words, |values| {
            values.with("path", path).with("origin", format!("{root}{path}"))
        })
    }

    /// A runtime that knows only one of the two ways is told the rest of all capabilities.
    fn capabilities(&mut self, given: &Capabilities) -> Said {
        let spellings = self.spellings.capabilities.clone().unwrap_or_default();
        let what = if given.keep.is_some() { "capabilities.keep" } else { "capabilities.drop" };
        if self.definition.cannot.contains_key(what) {
            return Err(cannot(self.definition, what));
        }
        let names = given.keep.as_ref().or(given.drop.as_ref()).cloned().unwrap_or_default();
        let others = || CAPABILITIES.iter().filter(|name| !names.iter().any(|given| given == *name));
        let (keeps, drops) = (given.keep.is_some(), given.drop.is_some());
        let (words, names): (_, Vec<String>) = match (spellings.keep, spellings.drop) {
            (Some(_), _) if keeps && names.is_empty() && spellings.none.is_some() => {
                (spellings.none.map(|first| Each { first, each: Vec::new() }), names)
            }
            (Some(keep), _) if keeps => (Some(keep), names),
            (_, Some(drop)) if drops => (Some(drop), names),
            // What the runner lacks it cannot give: of all but a few that is no part.
            (Some(keep), None) => {
                let kept = others().filter(|name| sys::may_give(name));
                (Some(keep), kept.map(|name| (*name).to_owned()).collect())
            }
            (None, Some(drop)) => (Some(drop), others().map(|name| (*name).to_owned()).collect()),
            _ => (None, Vec::new()),
        };
        let words = words.ok_or_else(|| cannot(self.definition, "capabilities"))?;
        self.words.extend(fill(&words.first, &self.values.clone().with("names", names.join(",")))?);
        for name in names {
            let values = Values::default().with("NAME", name.to_ascii_uppercase()).with("name", name);
            self.words.extend(fill(&words.each, &values)?);
        }
        Ok(())
    }

    fn no_new_privs(&mut self, set: bool) -> Said {
        let switch = self.spellings.no_new_privs.clone().unwrap_or_default();
        let words = if set { switch.set } else { switch.unset };
        self.say("no_new_privs", words.as_deref(), |values| values)
    }

    fn seccomp(&mut self, filter: &str) -> Said {
        let spellings = self.spellings.seccomp.clone().unwrap_or_default();
        match filter {
            "default" => self.say("seccomp", spellings.default.as_deref(), |values| values),
            "none" => self.say("seccomp", spellings.none.as_deref(), |values| values),
            path => {
                let path = self.directory.join(path).to_string_lossy().into_owned();
                self.path("seccomp", spellings.profile.as_deref(), &path)
            }
        }
    }

    fn network(&mut self, network: Network) -> Said {
        let spellings = self.spellings.network.clone().unwrap_or_default();
        let words = match network {
            Network::None => spellings.none,
            Network::Host => spellings.host,
        };
        self.say("network", words.as_deref(), |values| values)
    }

    fn root(&self, root: Option<Root>) -> Result<Vec<String>, Cannot> {
        let spellings = self.spellings.root.clone().unwrap_or_default();
        let words = match root {
            None => Some(spellings.unset),
            Some(Root::ReadOnly) => spellings.read_only,
            Some(Root::Writable) => spellings.writable,
        };
        let words = fill(&words.ok_or_else(|| cannot(self.definition, "root"))?, self.values)?;
        let has_place = self.definition.run.iter().any(|word| word.is_placeholder("root"));
        if has_place || words.is_empty() { Ok(words) } else { Err(cannot(self.definition, "root")) }
    }

    fn mount(&mut self, mount: &Mount) -> Said {
        let kind = mount.kind.as_deref().unwrap_or("bind");
        if self.definition.binds_for_itself() && kind == "bind" && mount.options.is_empty() {
            return Ok(());
        }
        let fits = |form: &&MountForm| {
            form.kind == kind && form.options.as_ref().is_none_or(|options| same(options, &mount.options))
        };
        let form = self.spellings.mounts.iter().find(fits);
        let source = mount.source.as_ref().map(|source| self.directory.join(source));
        let values = |values: Values| {
            let source = source.map(|source| source.to_string_lossy().into_owned()).unwrap_or_default();
            let place = if Path::new(&source).is_file() { "file" } else { "dir" };
            values
                .with("place", place)
                .with("source", source)
                .with("target", mount.target.clone())
                .with("options", mount.options.join(","))
        };
        self.say("mounts", form.map(|form| form.words.as_slice()), values)
    }

    /// Masks are put over what the kernel has in `/proc` and `/sys`, which is of the same kind on the host. What it does not have there needs
    /// none, and cannot be made ("Masked paths" of the OCI's config-linux.md).
    fn mask(&mut self, path: &str) -> Said {
        let mask = self.spellings.mask.clone();
        let is_the_kernels = path.starts_with("/proc/") || path.starts_with("/sys/");
        if is_the_kernels && mask.is_some() && !Path::new(path).exists() {
            return Ok(());
        }
        let is_directory = Path::new(path).is_dir();
        let words = mask.map(|mask| if is_directory { mask.directory } else { mask.file });
        self.path("mask", words.as_deref(), path)
    }

    fn limits(&mut self, limits: &Limits) -> Said {
        for (name, value) in named(limits) {
            let words = self.spellings.limits.get(name).map(Vec::as_slice);
            self.say(&format!("limits.{name}"), words, |values| limit_values(values, name, value))?;
        }
        Ok(())
    }

    fn flags(&self, flags: &[String]) -> Result<Vec<String>, Cannot> {
        let spelled = flags.iter().map(|flag| match self.spellings.flags.get(flag) {
            Some(word) => fill(std::slice::from_ref(word), self.values),
            None => Ok(vec![flag.clone()]),
        });
        Ok(spelled.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

/// Says which parameters cannot be set though others can: `sysctls.kernel`, or `sysctls.kernel.domainname`, among what the runtime cannot do.
pub(super) fn refused_sysctl(definition: &Definition, name: &str) -> Said {
    let parts = name.match_indices('.').map(|(end, _)| &name[..end]).chain([name]);
    let mut parts = parts.map(|part| format!("sysctls.{part}"));
    let refused = parts.find(|what| definition.cannot.contains_key(what));
    refused.map_or(Ok(()), |what| Err(cannot(definition, &what)))
}

/// Says what cannot be made together: `new.X without Y` among what the runtime cannot do.
pub(super) fn refused_together(definition: &Definition, asked: &Namespaces) -> Said {
    let asks = |name: &str| asked.0.iter().any(|namespace| namespace.name() == name);
    let refused = definition.cannot.keys().find(|key| {
        let pair = key.strip_prefix("new.").and_then(|pair| pair.split_once(" without "));
        pair.is_some_and(|(one, other)| asks(one) && !asks(other))
    });
    refused.map_or(Ok(()), |key| Err(cannot(definition, key)))
}

fn of_pair(name: &str, value: &str) -> Values {
    Values::default().with("name", name).with("value", value)
}

/// In any order.
fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|option| other.contains(option))
}

/// The limits that are set, with the names by which specs know them: bytes, numbers, percent.
pub(super) fn named(limits: &Limits) -> Vec<(&'static str, u64)> {
    let Limits { memory, pids, cpu, nofile, nproc, core, fsize, stack, memlock, address_space } = limits;
    let all = [
        ("memory", memory.map(|size| size.0)),
        ("pids", *pids),
        ("cpu", cpu.map(|percent| percent.0)),
        ("nofile", *nofile),
        ("nproc", *nproc),
        ("core", core.map(|size| size.0)),
        ("fsize", fsize.map(|size| size.0)),
        ("stack", stack.map(|size| size.0)),
        ("memlock", memlock.map(|size| size.0)),
        ("address_space", address_space.map(|size| size.0)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn limit_values(values: Values, name: &str, value: u64) -> Values {
    let values = values.with("value", value.to_string());
    if name != "cpu" {
        return values;
    }
    values.with("percent", value.to_string()).with("cpus", format!("{}.{:02}", value / 100, value % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_not_what_a_runtime_has_a_list_of_its_own_for() {
        let check = |cannot: &str, settings: &str, expected: Result<(), &str>| {
            let rest = "{ runtime: x, about: x, program: x, version: { run: [], matches: x }, run: [], rootfs: directory";
            let definition: Definition =
                serde_yaml::from_str(&format!("{rest}, cannot: {cannot} }}")).unwrap();
            let settings: Settings = serde_yaml::from_str(settings).unwrap();
            let spelled = spell(&definition, &settings, Path::new("/"), &Values::default());
            assert_eq!(spelled.map(drop).map_err(|cannot| cannot.reason), expected.map_err(str::to_owned));
        };
        check("{}", "{ mask: [], read_only: [] }", Ok(()));
        let own = "{ mask: it has its own, read_only: it has its own }";
        check(own, "{}", Ok(()));
        check(own, "{ mask: [] }", Err("x cannot set `mask`: it has its own"));
        check(own, "{ read_only: [] }", Err("x cannot set `read_only`: it has its own"));
    }
}
