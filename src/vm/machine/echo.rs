//! What a kernel says, told as it says it.

use std::io::{IsTerminal, Write, stderr};

use crate::report::in_one_line;

/// The longest line; one that is longer is told as several.
const LONGEST: usize = 4096;

/// Lines on standard error, each with the kernel's name.
#[derive(Debug)]
pub(in crate::vm) struct Echo {
    name: String,
    begun: Vec<u8>,
}

impl Echo {
    /// Of the kernel of this name.
    pub(in crate::vm) fn new(name: &str) -> Self {
        Self { name: in_one_line(name), begun: Vec::new() }
    }

    /// Tells of what has come as many lines as are whole.
    pub(in crate::vm) fn feed(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let text = self.whole_lines();
        if !text.is_empty() {
            // Who reads it no longer does not want it.
            let _ = stderr().lock().write_all(text.as_bytes());
        }
    }

    fn whole_lines(&mut self) -> String {
        // A terminal in raw mode, as a shell in the VM wants it, moves only down at a newline.
        let end = if stderr().is_terminal() { "\r\n" } else { "\n" };
        let mut text = String::new();
        while let Some(length) = self.line() {
            let line: Vec<u8> = self.begun.drain(..length).collect();
            let line = String::from_utf8_lossy(&line);
            let line = in_one_line(line.trim_end_matches(['\r', '\n']));
            text.extend([&self.name, ": ", &line, end]);
        }
        text
    }

    /// The length of the first line, if it is there as a whole.
    fn line(&self) -> Option<usize> {
        let end = self.begun.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        end.filter(|end| *end <= LONGEST).or_else(|| (self.begun.len() > LONGEST).then_some(LONGEST))
    }
}

impl Drop for Echo {
    /// A kernel that dies seldom ends its line.
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.feed(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Echo, LONGEST};

    #[test]
    fn lines_are_told_when_they_are_whole() {
        let mut echo = Echo::new("6.1");
        let mut check = |bytes: &[u8], expected: &str| {
            echo.begun.extend_from_slice(bytes);
            assert_eq!(echo.whole_lines().replace('\r', ""), expected);
        };
        check(b"one\r\ntw", "6.1: one\n");
        check(b"o\n\n", "6.1: two\n6.1: \n");
        check(b"\x1b[31mred\n", "6.1: \\u{1b}[31mred\n");
        check(&[b'x'; LONGEST + 1], &format!("6.1: {}\n", "x".repeat(LONGEST)));
        check(b"\n", "6.1: x\n");
    }
}
