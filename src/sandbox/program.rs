//! Programs of the host.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Where a program is on the host's PATH. The places of system programs count even where an ordinary user's PATH lacks them.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    places.map(|directory| directory.join(name)).find(|program| {
        program
            .metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}
