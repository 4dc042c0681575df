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

/// The reading of a probe: a call whose operands are wrong on purpose, so that it does nothing. The kernel checks
/// permission before operands, so that any errno but a refusal says that the call would have been permitted.
pub(super) fn probe(call: &str, result: nix::Result<()>) -> Result<Reading, Unobserved> {
    match result {
        Err(errno) if !is_refusal(errno) => permitted(call, errno),
        result => outcome(call, result),
    }
}

/// The reading of a call that was permitted, and did nothing as it was meant to.
pub(super) fn permitted(call: &str, errno: Errno) -> Result<Reading, Unobserved> {
    let raw = format!("{call} failed: {}, after its permission checks", errno_name(errno as i32));
    Ok(Reading { raw, ..outcome(call, Ok(()))? })
}

/// The errnos by which the kernel, a filter or a security module refuses.
const fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::EPERM | Errno::EACCES | Errno::EROFS | Errno::ENOSYS)
}

/// The same reading, with what could not be undone among its evidence.
pub(super) fn with_undoing(reading: Reading, undone: nix::Result<()>) -> Reading {
    match undone {
        Ok(()) => reading,
        Err(errno) => {
            let raw = format!("{}; it could not be undone: {}", reading.raw, errno_name(errno as i32));
            Reading { raw, ..reading }
        }
    }
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

/// The object must be the word `probe`.
pub(super) fn check_probe(object: &str) -> Result<(), String> {
    if object == "probe" { Ok(()) } else { Err(format!("`{object}` is not known here: write `probe`")) }
}

/// The object must be a PID.
pub(super) fn parse_pid(object: &str) -> Result<i32, String> {
    let pid = object.parse().ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| format!("`{object}` is not a PID: write a number from 1 on"))
}
