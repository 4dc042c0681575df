//! How an attempt ended, as a reading; and the checks of objects that several verbs share.

use std::path::Path;

use nix::errno::Errno;

use crate::fact::{Outcome, Reading, Unobserved};
use crate::sys::errno_name;

/// The reading of a call's result. `call` is shown as evidence: `mount("tmpfs", "/tmp/x")`.
pub(super) fn outcome(call: &str, result: nix::Result<()>) -> Result<Reading, Unobserved> {
    let (outcome, raw) = match result {
        Ok(()) => (Outcome::Allowed, format!("{call} succeeded")),
        Err(errno) => {
            let name = errno_name(errno as i32);
            (Outcome::Failed(name.clone()), format!("{call} failed: {name}"))
        }
    };
    let value = serde_json::to_value(outcome).map_err(Unobserved::because)?;
    Ok(Reading { value, raw })
}

/// The errno of an error of std; EIO where it has none.
pub(super) fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Fails the observation, not the attempt: the way to the attempted call did not work.
pub(super) fn unprepared(what: &str, errno: Errno) -> Unobserved {
    Unobserved::because(format!("the attempt could not be prepared: {what}: {}", errno_name(errno as i32)))
}

/// The object must be an absolute path.
pub(super) fn check_path(object: &str) -> Result<(), String> {
    if object.contains('\0') {
        return Err("a path cannot hold a NUL byte".to_owned());
    }
    if Path::new(object).is_absolute() {
        Ok(())
    } else {
        Err(format!("`{object}` is not an absolute path: write it from the root, `/{object}`"))
    }
}
