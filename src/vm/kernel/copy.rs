//! Copies what comes out of foreign files, and tells apart whose fault it is where that fails.

use std::io::{self, Read, Write};
use std::path::Path;

use super::error::{KernelError, Result, damaged, io, not_kernel};
use super::unpack::TooMuch;

/// Copies a stream to its end, and says how long it was. `from` is the file that the stream comes from, `to` where it goes.
///
/// # Errors
/// The stream is damaged or a bomb, or there is no place for it.
pub(super) fn copy(mut stream: impl Read, writer: &mut dyn Write, from: &Path, to: &Path) -> Result<u64> {
    let (mut buffer, mut size) = (vec![0; 1 << 17], 0);
    loop {
        match stream.read(&mut buffer).map_err(unreadable(from))? {
            0 => return Ok(size),
            read => {
                writer.write_all(&buffer[..read]).map_err(io("write", to))?;
                size += read as u64;
            }
        }
    }
}

/// The error of unpacking a file.
pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> KernelError {
    let path = path.to_owned();
    move |error| match error.get_ref() {
        Some(inner) if inner.is::<TooMuch>() => KernelError::Bomb { path, why: error.to_string() },
        _ if error.kind() == io::ErrorKind::Unsupported => {
            not_kernel(&path, format!("a file that cannot be read ({error})"), "unpack it")
        }
        _ => damaged(&path, error.to_string()),
    }
}
