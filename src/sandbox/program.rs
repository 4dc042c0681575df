//! Programs of the host.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Where a program is on the host's PATH. The places of system programs count even where an ordinary user's PATH lacks them.
pub fn find(name: &str) -> Option<PathBuf> {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    on_path(name).or_else(|| within(places.into_iter(), name))
}

/// Where a program is that is started by its name alone.
pub fn on_path(name: &str) -> Option<PathBuf> {
    within(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()), name)
}

fn within(mut places: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    places.find_map(|directory| {
        let program = directory.join(name);
        let metadata = program.metadata().ok()?;
        (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(program)
    })
}
