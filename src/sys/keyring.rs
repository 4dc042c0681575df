//! keyctl(2) and `add_key(2)`, which no crate here wraps.
#![expect(unsafe_code, reason = "keyrings have no wrapper in the C library")]

use std::ffi::CStr;

use nix::errno::Errno;

/// `KEY_SPEC_SESSION_KEYRING` of include/uapi/linux/keyctl.h.
pub const SESSION: i32 = -3;
/// `KEY_SPEC_USER_KEYRING`.
pub const USER: i32 = -4;

/// `KEYCTL_*` operations of the same file.
const GET_KEYRING_ID: libc::c_long = 0;
const JOIN_SESSION_KEYRING: libc::c_long = 1;
const UNLINK: libc::c_long = 9;
const SEARCH: libc::c_long = 10;

/// The type of keys that hold what their user likes: `keyrings(7)`.
const TYPE: &CStr = c"user";

/// Gives the calling process a new session keyring with nothing in it: `keyctl_join_session_keyring(3)`.
pub fn join_new_session() -> nix::Result<()> {
    // SAFETY: without a name KEYCTL_JOIN_SESSION_KEYRING reads no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0_usize) };
    Errno::result(result).map(drop)
}

/// Adds a key of the type `user` to a special keyring, or gives the one of this name that is there another payload: `add_key(2)`.
pub fn add(special: i32, name: &CStr, payload: &[u8]) -> nix::Result<()> {
    let special = libc::c_long::from(special);
    // SAFETY: type and name are C strings and the payload has the length given; the kernel only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            TYPE.as_ptr(),
            name.as_ptr(),
            payload.as_ptr(),
            payload.len(),
            special,
        )
    };
    Errno::result(result).map(drop)
}

/// The id of a key of the type `user` in a special keyring, or in one below it: `keyctl_search(3)`.
pub fn search(special: i32, name: &CStr) -> nix::Result<i32> {
    const NO_DESTINATION: libc::c_long = 0;
    let special = libc::c_long::from(special);
    // SAFETY: type and name are C strings, which the kernel only reads.
    let result = unsafe {
        libc::syscall(libc::SYS_keyctl, SEARCH, special, TYPE.as_ptr(), name.as_ptr(), NO_DESTINATION)
    };
    Errno::result(result).map(|id| i32::try_from(id).unwrap_or(0))
}

/// Takes a key out of a special keyring: `keyctl_unlink(3)`.
pub fn unlink(special: i32, key: i32) -> nix::Result<()> {
    let (special, key) = (libc::c_long::from(special), libc::c_long::from(key));
    // SAFETY: KEYCTL_UNLINK takes integers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, UNLINK, key, special) };
    Errno::result(result).map(drop)
}

/// The id of one of the calling thread's special keyrings, which is not created for the purpose.
pub fn id(special: i32) -> nix::Result<i32> {
    const DO_NOT_CREATE: libc::c_long = 0;
    let special = libc::c_long::from(special);
    // SAFETY: KEYCTL_GET_KEYRING_ID takes integers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, GET_KEYRING_ID, special, DO_NOT_CREATE) };
    Errno::result(result).map(|id| i32::try_from(id).unwrap_or(0))
}
