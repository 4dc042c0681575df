//! `/proc/PID/status` and `/proc/PID/stat`, parsed from bytes (`proc_pid_status(5)`, `proc_pid_stat(5)`).

use std::path::PathBuf;

use super::evidence::{malformed, number, read, words};
use super::{Subject, Unobserved};

/// `/proc/PID/status`.
pub(super) struct Status {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Status {
    /// Reads it.
    pub(super) fn of(subject: &Subject) -> Result<Self, Unobserved> {
        let path = subject.proc_file("status");
        let bytes = read(&path)?;
        Ok(Self { path, bytes })
    }

    /// For tests: what the file would say.
    #[cfg(test)]
    pub(super) fn sample(text: &[u8]) -> Self {
        Self { path: "status".into(), bytes: text.to_vec() }
    }

    /// The line of a field, as evidence: `Uid:\t0\t0\t0\t0`. The kernel escapes newlines in `Name`, so no name can forge one.
    pub(super) fn line(&self, field: &str) -> Result<&[u8], Unobserved> {
        let starts =
            |line: &&[u8]| line.strip_prefix(field.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
        self.bytes
            .split(|byte| *byte == b'\n')
            .find(starts)
            .ok_or_else(|| malformed(&self.path, &format!("{field} line: this kernel does not show it")))
    }

    /// The value of a field, trimmed.
    pub(super) fn text(&self, field: &str) -> Result<&[u8], Unobserved> {
        Ok(self.line(field)?[field.len() + 1..].trim_ascii())
    }

    /// The value of a field that is one number.
    pub(super) fn number(&self, field: &str) -> Result<i64, Unobserved> {
        number(self.text(field)?).ok_or_else(|| malformed(&self.path, field))
    }

    /// The value of a field that is a row of numbers.
    pub(super) fn numbers(&self, field: &str) -> Result<Vec<i64>, Unobserved> {
        let parse = |word| number(word).ok_or_else(|| malformed(&self.path, field));
        words(self.text(field)?).map(parse).collect()
    }

    /// The value of a field that is a mask in hexadecimal.
    pub(super) fn mask(&self, field: &str) -> Result<u64, Unobserved> {
        let text = std::str::from_utf8(self.text(field)?).ok();
        let mask = text.and_then(|text| u64::from_str_radix(text, 16).ok());
        mask.ok_or_else(|| malformed(&self.path, field))
    }
}

/// `/proc/PID/stat`.
pub(super) struct Stat {
    path: PathBuf,
    /// The line, as evidence.
    pub(super) bytes: Vec<u8>,
}

impl Stat {
    /// Reads it.
    pub(super) fn of(subject: &Subject) -> Result<Self, Unobserved> {
        let path = subject.proc_file("stat");
        let bytes = read(&path)?;
        Ok(Self { path, bytes })
    }

    /// The command's name, which may itself hold parentheses, spaces and bytes that are not UTF-8.
    pub(super) fn comm(&self) -> Result<&[u8], Unobserved> {
        let start = self.bytes.iter().position(|byte| *byte == b'(');
        let end = self.bytes.iter().rposition(|byte| *byte == b')');
        let between = start.zip(end).and_then(|(start, end)| self.bytes.get(start + 1..end));
        between.ok_or_else(|| malformed(&self.path, "command name"))
    }

    /// A field by its number in `proc_pid_stat(5)`, from 3 on: they are counted after the last parenthesis, because a name may hold one.
    pub(super) fn word(&self, field: usize) -> Result<&[u8], Unobserved> {
        let end = self.bytes.iter().rposition(|byte| *byte == b')').map(|end| end + 1);
        let after = end.and_then(|end| self.bytes.get(end..)).unwrap_or_default();
        words(after).nth(field - 3).ok_or_else(|| malformed(&self.path, &format!("field {field}")))
    }

    /// A field that is a number.
    pub(super) fn number(&self, field: usize) -> Result<i64, Unobserved> {
        number(self.word(field)?).ok_or_else(|| malformed(&self.path, &format!("field {field}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_field() {
        let status =
            Status::sample(b"Name:\tx\\nUid:\\t7\nUid:\t0\t1\t2\t3\nSigQ:\t0/1\nCapEff:\t000001ffffffffff\n");
        assert_eq!(status.numbers("Uid").unwrap(), [0, 1, 2, 3]);
        assert_eq!(status.mask("CapEff").unwrap(), 0x1ff_ffff_ffff);
        assert_eq!(
            status.number("Seccomp").unwrap_err().reason,
            "status has no usable Seccomp line: this kernel does not show it"
        );
        assert_eq!(status.number("SigQ").unwrap_err().reason, "status has no usable SigQ");
    }

    #[test]
    fn a_command_name_may_hold_parentheses() {
        let check = |line: &[u8], comm: &[u8], state: &[u8], parent| {
            let stat = Stat { path: "stat".into(), bytes: line.to_vec() };
            assert_eq!(stat.comm().unwrap(), comm);
            assert_eq!(stat.word(3).unwrap(), state);
            assert_eq!(stat.number(4).unwrap(), parent);
        };
        check(b"7 (sh) S 1 7 7 0", b"sh", b"S", 1);
        check(b"7 (a) R 9 (b) Z 3 7", b"a) R 9 (b", b"Z", 3);
        check(b"7 (\xff\n) T 2 7", b"\xff\n", b"T", 2);
    }
}
