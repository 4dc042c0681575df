//! Landlock: landlock(7), by its three calls.
#![expect(unsafe_code, reason = "the calls have no wrapper in nix or rustix")]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// `struct landlock_ruleset_attr`: what a ruleset handles, of file systems (ABI 1), ports (ABI 4), and what it keeps in its scope (ABI 6).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    /// `LANDLOCK_ACCESS_FS_*`
    pub files: u64,
    /// `LANDLOCK_ACCESS_NET_*`
    pub ports: u64,
    /// `LANDLOCK_SCOPE_*`
    pub scope: u64,
}

/// The version of the ABI: `LANDLOCK_CREATE_RULESET_VERSION` of `landlock_create_ruleset(2)`. ENOSYS: the kernel was built without; EOPNOTSUPP:
/// it was booted without.
pub fn abi() -> nix::Result<i32> {
    const VERSION: u32 = 1;
    create(std::ptr::null(), 0, VERSION)
}

/// The same with an attribute besides, or with another flag: neither is right.
pub fn create_wrongly(size: usize, flags: u32) -> nix::Result<i32> {
    let bytes = [0_u8; 64];
    create(if size == 0 { std::ptr::null() } else { bytes.as_ptr() }, size.min(bytes.len()), flags)
}

/// A ruleset. Fields that are zero are not told, so that older kernels take it.
pub fn create_ruleset(handled: Handled) -> nix::Result<OwnedFd> {
    let words = [handled.files, handled.ports, handled.scope];
    let count = if handled.scope != 0 { 3 } else { 1 + usize::from(handled.ports != 0) };
    let bytes: Vec<u8> = words[..count].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let number = create(bytes.as_ptr(), bytes.len(), 0)?;
    // SAFETY: the kernel has just made it, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Allows this beneath a directory: `LANDLOCK_RULE_PATH_BENEATH`.
pub fn allow_beneath(ruleset: RawFd, allowed: u64, directory: &impl AsFd) -> nix::Result<()> {
    const BENEATH: i32 = 1;
    // struct landlock_path_beneath_attr is packed: the rights, then the descriptor.
    let mut rule = [0_u8; 12];
    rule[..8].copy_from_slice(&allowed.to_ne_bytes());
    rule[8..].copy_from_slice(&directory.as_fd().as_raw_fd().to_ne_bytes());
    add(ruleset, BENEATH, &rule)
}

/// Allows this of a port: `LANDLOCK_RULE_NET_PORT`, ABI 4.
pub fn allow_port(ruleset: RawFd, allowed: u64, port: u64) -> nix::Result<()> {
    const PORT: i32 = 2;
    add(ruleset, PORT, &[allowed.to_ne_bytes(), port.to_ne_bytes()].concat())
}

/// A rule of a type that there is none of.
pub fn add_wrongly(ruleset: RawFd) -> nix::Result<()> {
    add(ruleset, 0, &[0; 16])
}

/// `landlock_restrict_self(2)`.
pub fn restrict_self(ruleset: RawFd, flags: u32) -> nix::Result<()> {
    // SAFETY: the call takes numbers.
    Errno::result(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, flags) }).map(drop)
}

fn create(attribute: *const u8, size: usize, flags: u32) -> nix::Result<i32> {
    // SAFETY: the attribute has as many bytes as are told, or there is none; the kernel only reads it.
    let result = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attribute, size, flags) };
    Errno::result(result).map(|number| i32::try_from(number).unwrap_or(i32::MAX))
}

fn add(ruleset: RawFd, kind: i32, rule: &[u8]) -> nix::Result<()> {
    // SAFETY: the rule is no shorter than the structure of its type; the kernel only reads it.
    let result = unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset, kind, rule.as_ptr(), 0) };
    Errno::result(result).map(drop)
}
