//! Lines of bounded length, for both ends of the agent's streams.

use std::io::{BufRead, ErrorKind, Read};

/// The longest request: an observation of many paths is a few hundred KiB at most.
pub(super) const REQUEST_CAP: usize = 1 << 20;
/// The longest reply: one file of 1 MiB whose every byte JSON escapes takes 6 MiB.
pub(super) const REPLY_CAP: usize = 16 << 20;

/// Why a line could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// There are more bytes than allowed before the newline.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// The stream ended within a line.
    #[error("the stream ended within a line")]
    Cut,
    /// The stream failed.
    #[error("cannot read: {0}")]
    Io(#[from] std::io::Error),
}

/// The next line without its newline; `None` at the stream's end.
pub(super) fn read_line(input: &mut impl BufRead, cap: usize) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    // read_until goes on by itself after EINTR, which SIGCHLD can cause.
    input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() >= cap => Err(LineError::TooLong(cap)),
        Some(_) => Err(LineError::Cut),
    }
}

impl From<LineError> for std::io::Error {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Io(error) => error,
            other => Self::new(ErrorKind::InvalidData, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_whole() {
        let check = |text: &str, expected: &[&str]| {
            let mut input = text.as_bytes();
            let results: Vec<String> = std::iter::from_fn(|| match read_line(&mut input, 4) {
                Ok(line) => line.map(|line| String::from_utf8(line).unwrap()),
                Err(error) => {
                    input = b"";
                    Some(error.to_string())
                }
            })
            .collect();
            assert_eq!(results, expected);
        };
        check("", &[]);
        check("ab\n\ncd\n", &["ab", "", "cd"]);
        check("abcd\n", &["abcd"]);
        check("abcde\n", &["a line is longer than 4 bytes"]);
        check("ab\ncd", &["ab", "the stream ended within a line"]);
    }
}
