//! Ways past a seccomp filter: flags of clone(2), and calls of another convention.

use super::namespace::clone_flag;
use super::outcome::{outcome, probe};
use crate::fact::{Attempt, Leaves, Reading, Unobserved};
use crate::sys::entries;

/// `clone`
pub(super) const CLONE: Attempt = Attempt {
    name: "clone",
    object: "NAMESPACE",
    brief: "Asks whether clone(2) may be called with the flag of a namespace: `user`, `mount`, `pid`, …",
    long: "clone(2) with that flag and CLONE_SIGHAND, which is EINVAL without CLONE_VM before the kernel looks at anything \
           else: it counts as allowed, and no child is ever made. It is a filter that this tells of, and no capability. \
           There is no flag of clone(2) for time namespaces.",
    example: "attempts: { clone: { user: denied } }",
    leaves: Leaves::Nothing,
    check: |object| clone_flag(object).map(drop),
    attempt: |object| {
        let flag = clone_flag(object).map_err(Unobserved::because)?;
        probe(&format!("clone(CLONE_SIGHAND | {object})"), entries::clone_no_child(flag))
    },
};

/// `convention`
pub(super) const CONVENTION: Attempt = Attempt {
    name: "convention",
    object: "i386 | x32",
    brief: "Makes getpid(2) by another calling convention of the same kernel.",
    long: "On x86_64: `i386` by `int $0x80` with the numbers of 32-bit programs, `x32` with bit 30 of the number set. A filter \
           that knows the usual numbers only is gone round by both (seccomp(2), caveats). A kernel without the convention \
           answers ENOSYS for x32, and ends the process with SIGSEGV for i386.",
    example: "attempts: { convention: { x32: { fails: EPERM } } }",
    leaves: Leaves::Nothing,
    check: |object| match object {
        "i386" | "x32" if cfg!(target_arch = "x86_64") => Ok(()),
        "i386" | "x32" => Err(format!("`{object}` is a convention of x86_64 only")),
        _ => Err(format!("`{object}` is not known here: write `i386` or `x32`")),
    },
    attempt: call,
};

#[cfg(target_arch = "x86_64")]
fn call(object: &str) -> Result<Reading, Unobserved> {
    let result = if object == "i386" { entries::i386_getpid() } else { entries::x32_getpid() };
    outcome(&format!("getpid() by {object}"), result)
}

#[cfg(not(target_arch = "x86_64"))]
fn call(object: &str) -> Result<Reading, Unobserved> {
    outcome(object, Err(nix::errno::Errno::ENOSYS))
}
