//! Reading files with bounds, showing bytes as text, and keeping the text as evidence.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Reading, Unobserved, Value};
use crate::sys::errno_name;

/// The kernel's tables (mountinfo, net/unix) may be long on a busy host; more than this is refused, never cut in silence.
const TABLE_CAP: u64 = 16 << 20;
/// How much of the raw text is kept as evidence.
const RAW_CAP: usize = 64 << 10;

/// The bytes of a file of `/proc` or the like.
pub(super) fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, Unobserved> {
    let path = path.as_ref();
    let file = open(path).map_err(|error| unreadable(path, &error))?;
    read_up_to(file, path, TABLE_CAP)
}

/// Opens for reading without waiting for a FIFO's writer and without gaining a controlling terminal.
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// All bytes of an open file, unless there are more than `cap`: half a file must not pass for a whole one.
pub(super) fn read_up_to(file: impl Read, path: &Path, cap: u64) -> Result<Vec<u8>, Unobserved> {
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > cap {
        return Err(Unobserved::because(format!("{} is longer than {cap} bytes", path.display())));
    }
    Ok(bytes)
}

/// `cannot read /proc/self/status: ENOENT`.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Unobserved {
    Unobserved::because(format!("cannot read {}: {}", path.display(), io_name(error)))
}

/// The errno's name of an error, or its text where it has none.
pub(super) fn io_name(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), errno_name)
}

/// A file that was read but is not in the form that proc(5) gives it.
pub(super) fn malformed(path: impl AsRef<Path>, what: &str) -> Unobserved {
    Unobserved::because(format!("{} has no usable {what}", path.as_ref().display()))
}

/// Bytes as text: what is not UTF-8 stands as `\xff`.
pub(super) fn show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A value with the bytes it was parsed from.
pub(super) fn reading(value: impl Into<Value>, raw: impl AsRef<[u8]>) -> Reading {
    let raw = raw.as_ref();
    Reading { value: value.into(), raw: show(&raw[..raw.len().min(RAW_CAP)]) }
}

/// Bytes without the white space around them.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// The lines of a file, without an empty one after the last newline.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A decimal number.
pub(super) fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(trim(bytes)).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_shown() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(show(bytes), expected);
        check(b"plain", "plain");
        check("é\n".as_bytes(), "é\n");
        check(b"/mnt/\xff\xfe.d", "/mnt/\\xff\\xfe.d");
        check(b"cut \xe2\x82", "cut \\xe2\\x82");
    }

    #[test]
    fn an_endless_file_is_refused() {
        let error = read("/dev/zero").unwrap_err();
        assert_eq!(error.reason, "/dev/zero is longer than 16777216 bytes");
    }

    #[test]
    fn a_missing_file_is_named_with_its_errno() {
        assert_eq!(read("/proc/no-such-file").unwrap_err().reason, "cannot read /proc/no-such-file: ENOENT");
    }

    #[test]
    fn evidence_is_cut() {
        assert_eq!(reading(1, vec![b'a'; 100_000]).raw.len(), 64 << 10);
    }

    #[test]
    fn a_file_that_just_fits_is_whole() {
        let check = |cap, expected: Result<&[u8], &str>| {
            let found = read_up_to(&b"abc"[..], Path::new("/x"), cap).map_err(|why| why.reason);
            assert_eq!(found, expected.map(<[u8]>::to_vec).map_err(str::to_owned));
        };
        check(4, Ok(b"abc"));
        check(3, Ok(b"abc"));
        check(2, Err("/x is longer than 2 bytes"));
    }

    /// A sandbox may put a FIFO where a file is expected, and never write to it.
    #[test]
    fn nobody_waits_for_the_writer_of_a_fifo() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&fifo), Ok(Vec::new()));
    }
}
