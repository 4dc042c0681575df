//! The modules that the host has sent along.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::PathBuf;

use nix::kmod::{ModuleInitFlags, finit_module};

use crate::vm::layout::MODULES;

/// Loads them in the order of their names, and says which could not be. That one is missing is for the claims to find out that need it.
pub(super) fn load_all() -> Vec<String> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(MODULES).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| load(path).err().map(|why| format!("{}: {why}", path.display()))).collect()
}

fn load(path: &PathBuf) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    match finit_module(&file, &CString::default(), ModuleInitFlags::empty()) {
        // Built in, or loaded by another.
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(errno) => Err(format!("finit_module() failed: {errno}")),
    }
}
