//! The agent's program in a root that was not made for it: with its own loader and libraries, in a directory of its own.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::agent::ROLE;
use crate::image::elf;
use crate::sandbox::runtime::StartError;
use crate::sandbox::vouch::Brought;

/// The directory, in the root.
pub(super) const DIRECTORY: &str = "/.airtight";

/// Files to bind, and the words that run the agent from them.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    /// (source on the host, target in the root).
    pub(super) binds: Vec<(PathBuf, String)>,
    /// The program and its arguments, but for the token.
    pub(super) words: Vec<String>,
    /// What the agent's process runs.
    pub(super) brought: Brought,
}

/// This very program, with all it needs; looked for once.
pub(super) fn own_program() -> Result<Bundle, StartError> {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    match BUNDLE.get() {
        Some(bundle) => Ok(bundle.clone()),
        None => find().map(|bundle| BUNDLE.get_or_init(|| bundle).clone()),
    }
}

/// The words that run it as the agent that answers to this token.
pub(super) fn words(token: &str) -> Result<Vec<String>, StartError> {
    let mut words = own_program()?.words;
    words.push(token.to_owned());
    Ok(words)
}

fn find() -> Result<Bundle, StartError> {
    let program = std::env::current_exe().map_err(|error| StartError::Bundle(error.to_string()))?;
    let closure = elf::closure(&program).map_err(|error| StartError::Bundle(error.to_string()))?;
    let target = format!("{DIRECTORY}/airtight");
    let mut binds = vec![(program.clone(), target.clone())];
    let mut words = Vec::new();
    if let Some(interpreter) = closure.interpreter.clone() {
        let loader = format!("{DIRECTORY}/ld.so");
        binds.push((interpreter, loader.clone()));
        words.extend([loader, "--library-path".to_owned(), DIRECTORY.to_owned()]);
    }
    let libraries = closure.libraries.into_iter();
    binds.extend(libraries.map(|library| (library.path, format!("{DIRECTORY}/{}", library.name))));
    words.extend([target, ROLE.to_owned()]);
    let brought = Brought { program, loader: closure.interpreter };
    Ok(Bundle { binds, words, brought })
}

/// Whether this executable, as `/proc/PID/exe` names it, is the bundled agent's or this very program.
pub(super) fn is_agent(exe: &Path) -> bool {
    let bundled = |name: &str| exe.ends_with(Path::new(DIRECTORY.trim_start_matches('/')).join(name));
    bundled("ld.so") || bundled("airtight") || std::env::current_exe().is_ok_and(|own| own == exe)
}
