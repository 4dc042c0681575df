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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "the rows of a table are read more easily")]
    fn check(reading: Result<Reading, Unobserved>, value: Value, raw: &str) {
        assert_eq!(reading, Ok(Reading { value, raw: raw.to_owned() }));
    }

    #[test]
    fn a_call_has_succeeded_or_failed() {
        check(outcome("f()", Ok(())), json!("allowed"), "f() succeeded");
        check(outcome("f()", Err(Errno::EFAULT)), json!({ "failed": "EFAULT" }), "f() failed: EFAULT");
    }

    #[test]
    fn a_probe_was_refused_or_got_beyond_the_permission_checks() {
        check(probe("f()", Ok(())), json!("allowed"), "f() succeeded");
        check(
            probe("f()", Err(Errno::EFAULT)),
            json!("allowed"),
            "f() failed: EFAULT, after its permission checks",
        );
        for errno in [Errno::EPERM, Errno::EACCES, Errno::EROFS, Errno::ENOSYS] {
            let name = errno_name(errno as i32);
            check(probe("f()", Err(errno)), json!({ "failed": name }), &format!("f() failed: {name}"));
        }
    }

    #[test]
    fn what_could_not_be_undone_is_told() {
        let done = || outcome("f()", Ok(())).unwrap();
        check(Ok(with_undoing(done(), Ok(()))), json!("allowed"), "f() succeeded");
        let raw = "f() succeeded; it could not be undone: EBUSY";
        check(Ok(with_undoing(done(), Err(Errno::EBUSY))), json!("allowed"), raw);
        assert_eq!(
            unprepared("open", Errno::ENOENT).reason,
            "the attempt could not be prepared: open: ENOENT"
        );
    }

    #[test]
    fn an_error_without_an_errno_is_an_error_all_the_same() {
        assert_eq!(errno(&std::io::Error::from_raw_os_error(libc::ENOENT)), Errno::ENOENT);
        assert_eq!(errno(&std::io::Error::other("half a line")), Errno::EIO);
    }

    #[test]
    fn objects_are_checked_before_anything_is_tried() {
        let wrong = |message: &str| Err(message.to_owned());
        assert_eq!(check_path("/a"), Ok(()));
        assert_eq!(check_path("a"), wrong("`a` is not an absolute path: write it from the root, `/a`"));
        assert_eq!(check_path("/a\0"), wrong("a path cannot hold a NUL byte"));
        assert_eq!(check_probe("probe"), Ok(()));
        assert_eq!(check_probe("prob"), wrong("`prob` is not known here: write `probe`"));
        assert_eq!((parse_pid("1"), parse_pid("4711")), (Ok(1), Ok(4711)));
        for text in ["0", "-1", "x", ""] {
            let message = format!("`{text}` is not a PID: write a number from 1 on");
            assert_eq!(parse_pid(text), Err(message));
        }
    }
}
