//! The closure of a program over `DT_NEEDED`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::object::{Object, read};
use super::search::directories;
use crate::image::ImageError;

/// More objects than any program has; a bound.
const MOST: usize = 2000;

/// What a program needs to run elsewhere. A static program needs nothing: no interpreter and no libraries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// The loader, by the path that the program names (`PT_INTERP`); it must be there under just this path.
    pub interpreter: Option<PathBuf>,
    /// The libraries, in the order in which the loader would load them; each once.
    pub libraries: Vec<Library>,
}

/// A library that a program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its name as it is asked for: `libc.so.6`.
    pub name: String,
    /// Where the host's loader finds it. The path may be a symbolic link.
    pub path: PathBuf,
}

/// The interpreter and the libraries of `program`, found as ld.so(8) finds them: `DT_RPATH` of the object and of those that
/// asked for it, `DT_RUNPATH`, the configured and the built-in directories. `LD_LIBRARY_PATH` is not looked at: it belongs to
/// the caller, and a sandbox does not get it.
///
/// # Errors
/// A file that is no ELF program, or a library that is nowhere.
pub fn closure(program: &Path) -> Result<Closure, ImageError> {
    let object = read(program).map_err(|why| unfit(program, why))?;
    let Some(interpreter) = object.interpreter.clone().map(PathBuf::from) else {
        return without_interpreter(program, &object);
    };
    let mut walk = Walk {
        target: object.target,
        defaults: directories(&interpreter),
        found: Vec::new(),
        names: BTreeSet::new(),
    };
    walk.names.extend(interpreter.file_name().map(|name| name.to_string_lossy().into_owned()));
    walk.follow(program, object)?;
    Ok(Closure { interpreter: Some(interpreter), libraries: walk.found })
}

/// A static program has no interpreter and needs no library; a library has no interpreter and is no program.
fn without_interpreter(program: &Path, object: &Object) -> Result<Closure, ImageError> {
    match object.needed.first() {
        None => Ok(Closure::default()),
        Some(library) => {
            Err(unfit(program, format!("it needs {library} but names no interpreter: it is a library")))
        }
    }
}

/// An object whose needs are to be looked up, and the run paths that it inherits.
struct Asking {
    path: PathBuf,
    object: Object,
    inherited: Vec<PathBuf>,
}

struct Walk {
    target: (bool, u16),
    defaults: Vec<PathBuf>,
    found: Vec<Library>,
    names: BTreeSet<String>,
}

impl Walk {
    /// Breadth first, as the loader does it.
    fn follow(&mut self, program: &Path, object: Object) -> Result<(), ImageError> {
        let mut queue = std::collections::VecDeque::from([Asking {
            path: program.to_owned(),
            object,
            inherited: Vec::new(),
        }]);
        while let Some(asking) = queue.pop_front() {
            for name in &asking.object.needed {
                if !self.names.insert(name.clone()) {
                    continue;
                }
                if self.found.len() == MOST {
                    return Err(unfit(program, format!("it needs more than {MOST} libraries")));
                }
                let (path, object) = self.find(name, &asking).ok_or_else(|| lost(name, &asking.path))?;
                self.found.push(Library { name: name.clone(), path: path.clone() });
                queue.push_back(Asking { path, object, inherited: own_rpath(&asking) });
            }
        }
        Ok(())
    }

    /// A name with a slash is a path. Else the directories are tried, and a file of another machine is passed over.
    fn find(&self, name: &str, asking: &Asking) -> Option<(PathBuf, Object)> {
        let candidates: Vec<PathBuf> = if name.contains('/') {
            vec![expand(name, &asking.path)]
        } else {
            let own = if asking.object.runpath.is_empty() { own_rpath(asking) } else { runpath(asking) };
            own.iter().chain(&self.defaults).map(|directory| directory.join(name)).collect()
        };
        candidates.into_iter().find_map(|path| {
            let object = path.is_file().then(|| read(&path).ok()).flatten()?;
            (object.target == self.target).then_some((path, object))
        })
    }
}

/// `DT_RPATH` counts only where there is no `DT_RUNPATH`, and holds for what the object's libraries need too.
fn own_rpath(asking: &Asking) -> Vec<PathBuf> {
    let own: &[String] = if asking.object.runpath.is_empty() { &asking.object.rpath } else { &[] };
    own.iter().map(|path| expand(path, &asking.path)).chain(asking.inherited.iter().cloned()).collect()
}

fn runpath(asking: &Asking) -> Vec<PathBuf> {
    asking.object.runpath.iter().map(|path| expand(path, &asking.path)).collect()
}

/// The dynamic string tokens of ld.so(8); `$PLATFORM` names a processor and is rare.
fn expand(path: &str, object: &Path) -> PathBuf {
    let real = std::fs::canonicalize(object).unwrap_or_else(|_| object.to_owned());
    let origin = real.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let lib =
        if cfg!(target_pointer_width = "64") && Path::new("/usr/lib64").is_dir() { "lib64" } else { "lib" };
    let tokens = [("ORIGIN", origin.as_str()), ("LIB", lib), ("PLATFORM", std::env::consts::ARCH)];
    let text = tokens.iter().fold(path.to_owned(), |text, (token, value)| {
        text.replace(&format!("${{{token}}}"), value).replace(&format!("${token}"), value)
    });
    PathBuf::from(text)
}

fn lost(name: &str, by: &Path) -> ImageError {
    unfit(by, format!("its library {name} is nowhere on the host"))
}

fn unfit(path: &Path, why: String) -> ImageError {
    ImageError::Unfit { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_program_itself_needs_a_libc_and_a_loader() {
        let own = closure(&std::env::current_exe().unwrap()).unwrap();
        if let Some(interpreter) = &own.interpreter {
            assert!(interpreter.is_absolute() && interpreter.exists(), "{own:?}");
            assert!(own.libraries.iter().any(|library| library.name.starts_with("libc.")), "{own:?}");
            assert!(own.libraries.iter().all(|library| library.path.is_file()));
        }
    }

    #[test]
    fn a_text_is_no_program() {
        let error = closure(Path::new("/etc/passwd")).unwrap_err().to_string();
        assert!(error.starts_with("/etc/passwd cannot be part of an image: "), "{error}");
    }

    #[test]
    fn origin_is_the_folder_of_the_file_itself() {
        assert_eq!(expand("$ORIGIN/../lib", Path::new("/nowhere/bin/x")), Path::new("/nowhere/bin/../lib"));
        assert_eq!(expand("${ORIGIN}", Path::new("/nowhere/bin/x")), Path::new("/nowhere/bin"));
    }
}
