//! The modules that are wanted, with those that they need, in the order in which they must be loaded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use object::{Object as _, ObjectSection as _};

use super::error::{KernelError, Result};
use super::shelf::Shelf;

/// No chain of modules that need each other is longer; real ones have some ten.
const DEEPEST: usize = 64;

/// The most bytes that all modules together have.
const LARGEST: usize = 1 << 30;

/// The endings of modules' names.
const ENDINGS: [&str; 4] = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];

/// What became of the modules that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    /// To be loaded in this order: each after those that it needs.
    pub load: Vec<Module>,
    /// Those that are in the kernel itself.
    pub built_in: Vec<String>,
    /// Those that are not there at all, and those that need what is not there. Where a kernel comes without the list of what is built in
    /// (`modules.builtin`), these may be built in all the same.
    pub missing: Vec<String>,
}

/// A module.
#[derive(Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name, as `/proc/modules` has it: with `_` for `-`.
    pub name: String,
    /// The ELF file, as `init_module(2)` takes it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Module {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({} bytes)", self.name, self.bytes.len())
    }
}

/// Gathers the modules that are wanted from where they are.
///
/// # Errors
/// What is there cannot be read.
pub(super) fn gather(wanted: &[&str], shelf: &mut Shelf) -> Result<Modules> {
    let mut gathering = Gathering { shelf, modules: Modules::default(), known: BTreeMap::new() };
    for name in wanted {
        let name = plain(name);
        if gathering.shelf.is_built_in(&name) {
            push_new(&mut gathering.modules.built_in, name);
        } else if !gathering.visit(&name, 0)? {
            push_new(&mut gathering.modules.missing, name);
        }
    }
    Ok(gathering.modules)
}

struct Gathering<'a> {
    shelf: &'a mut Shelf,
    modules: Modules,
    /// Whether the modules that were visited can be loaded. While one is visited it counts as such: who needs it in turn is in a circle.
    known: BTreeMap<String, bool>,
}

impl Gathering<'_> {
    /// Whether the module can be loaded; then it is in the list, after those that it needs.
    fn visit(&mut self, name: &str, depth: usize) -> Result<bool> {
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        if depth > DEEPEST {
            return Err(
                self.wrong(name, format!("the modules that it needs are nested deeper than {DEEPEST}"))
            );
        }
        let Some(bytes) = self.shelf.read(name)? else { return Ok(false) };
        self.known.insert(name.to_owned(), true);
        let needed = depends(&bytes).map_err(|why| self.wrong(name, why))?;
        let mut loadable = true;
        for other in needed {
            if !self.shelf.is_built_in(&other) && !self.visit(&other, depth + 1)? {
                push_new(&mut self.modules.missing, other);
                loadable = false;
            }
        }
        self.known.insert(name.to_owned(), loadable);
        if loadable {
            self.add(Module { name: name.to_owned(), bytes })?;
        }
        Ok(loadable)
    }

    fn add(&mut self, module: Module) -> Result<()> {
        let size: usize = self.modules.load.iter().map(|module| module.bytes.len()).sum();
        if size + module.bytes.len() > LARGEST {
            let why = format!("all modules together have more than {LARGEST} bytes");
            return Err(self.wrong(&module.name, why));
        }
        self.modules.load.push(module);
        Ok(())
    }

    fn wrong(&self, module: &str, why: String) -> KernelError {
        KernelError::Module { module: module.to_owned(), path: self.shelf.path().to_owned(), why }
    }
}

/// The modules that one needs: `depends=` of its section `.modinfo` (`scripts/mod/modpost.c`, `add_depends`).
fn depends(module: &[u8]) -> std::result::Result<Vec<String>, String> {
    let file = object::File::parse(module).map_err(|error| error.to_string())?;
    let section = file.section_by_name(".modinfo").ok_or("it has no section .modinfo")?;
    let data = section.data().map_err(|error| error.to_string())?;
    let entries = data.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    let needed = entries.filter_map(|entry| entry.strip_prefix("depends=")).flat_map(|list| list.split(','));
    Ok(needed.filter(|name| !name.is_empty()).map(plain).collect())
}

fn push_new(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// A module's name as the kernel has it.
pub(super) fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// Whether a file of this name is a module.
pub(super) fn is_module(file: &str) -> bool {
    ENDINGS.iter().any(|ending| file.len() > ending.len() && file.ends_with(ending))
}

/// The name of the module in a file, of which the path or the name is given.
pub(super) fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    is_module(file).then(|| plain(file.split(".ko").next().unwrap_or(file)))
}
