//! keyctl(2), which no crate here wraps.
#![expect(unsafe_code, reason = "keyctl has no wrapper in the C library")]

use nix::errno::Errno;

/// KEY_SPEC_SESSION_KEYRING of include/uapi/linux/keyctl.h.
pub const SESSION: i32 = -3;
/// KEY_SPEC_USER_KEYRING.
pub const USER: i32 = -4;

/// The id of one of the calling thread's special keyrings, which is not created for the purpose.
pub fn id(special: i32) -> nix::Result<i32> {
    const GET_KEYRING_ID: libc::c_long = 0;
    const DO_NOT_CREATE: libc::c_long = 0;
    let special = libc::c_long::from(special);
    // SAFETY: KEYCTL_GET_KEYRING_ID takes integers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, GET_KEYRING_ID, special, DO_NOT_CREATE) };
    Errno::result(result).map(|id| i32::try_from(id).unwrap_or(0))
}
