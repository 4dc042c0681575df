//! The error of a system call: the call, its operands, the errno.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// What a system call returns here.
pub type Result<T> = std::result::Result<T, Failure>;

/// A system call that failed. It crosses process boundaries as JSON, so the errno is kept as its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{call}({}) failed: {}", operands.join(", "), errno_name(*errno))]
pub struct Failure {
    /// The call's name as in its man page: `mount`.
    pub call: String,
    /// Its operands as a reader would write them: `"proc"`, `"/proc"`.
    pub operands: Vec<String>,
    /// The errno, a number of errno(3).
    pub errno: i32,
}

impl Failure {
    /// The failure of `call` on `operands`, which are shown as `Debug` shows them.
    pub fn new(call: &str, operands: &[&dyn std::fmt::Debug], errno: Errno) -> Self {
        let operands = operands.iter().map(|operand| format!("{operand:?}")).collect();
        Self { call: call.to_owned(), operands, errno: errno as i32 }
    }

    /// As [`Failure::new`], from an [`std::io::Error`]; an error without an errno counts as EIO.
    pub fn from_io(call: &str, operands: &[&dyn std::fmt::Debug], error: &std::io::Error) -> Self {
        Self::new(call, operands, error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }
}

/// The symbolic name of an errno, `EPERM`; `errno 512` for a number that has none.
pub fn errno_name(number: i32) -> String {
    match Errno::from_raw(number) {
        Errno::UnknownErrno => format!("errno {number}"),
        known => format!("{known:?}"),
    }
}

/// The number of the errno with this symbolic name, as errno(3) spells it.
pub fn errno_named(name: &str) -> Option<i32> {
    // Linux numbers its errnos from 1 to 133 (include/uapi/asm-generic/errno.h).
    (1..=133).find(|number| errno_name(*number) == name)
}
