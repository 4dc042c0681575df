//! Random words: nonces, tokens, tags.

use super::{Failure, Result};

/// 128 random bits in hexadecimal: nothing in a sandbox can guess one that it has not read.
pub fn random_word() -> Result<String> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Failure::from_io("getrandom", &[&bytes.len()], &errno.into()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
