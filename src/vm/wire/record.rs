//! Records on a line that anything may write to: the kernel can put a message of its own between two of them, and a hostile program
//! what it likes.
//!
//! A record is the separator of RFC 7464, a number that counts up, a CRC-32 of the text, the text, a newline. What is
//! between two records is no record and is passed over; what looks like one and is not whole, or is out of turn, is told.

use serde::Serialize;
use serde::de::DeserializeOwned;

const SEPARATOR: u8 = 0x1e;

/// The longest record: a spec of a MiB, each byte of which JSON escapes.
const CAP: usize = 8 << 20;

/// The least that has to be there: the separator, eight digits, a space, eight digits, a space.
const HEAD: usize = 19;

/// Writes a message as the record of this number.
pub(crate) fn encode(number: u32, message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let text = serde_json::to_vec(message)?;
    let head = format!("{number:08x} {:08x} ", crc32fast::hash(&text));
    Ok([&[SEPARATOR], head.as_bytes(), &text, b"\n"].concat())
}

/// Counts the records that it writes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    next: u32,
}

impl Writer {
    /// The next record.
    pub(crate) fn record(&mut self, message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
        self.next += 1;
        encode(self.next, message)
    }
}

/// Takes records out of a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    last: u32,
    /// How much of `bytes` has no newline.
    searched: usize,
}

impl Reader {
    /// Goes on behind the record of this number: what a restored VM says next.
    pub(crate) fn after(last: u32) -> Self {
        Self { last, ..Self::default() }
    }

    /// The number of the last record.
    pub(crate) const fn last(&self) -> u32 {
        self.last
    }

    /// Takes in what has come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if it is there as a whole; or what is wrong with what came in its place.
    pub(crate) fn next<M: DeserializeOwned>(&mut self) -> Option<Result<M, String>> {
        loop {
            let Some(end) = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                return (self.bytes.len() > CAP).then(|| {
                    self.bytes.clear();
                    self.searched = 0;
                    Err(format!("a record of more than {CAP} bytes"))
                });
            };
            let line: Vec<u8> = self.bytes.drain(..=self.searched + end).collect();
            self.searched = 0;
            // What stands before the separator is not ours.
            if let Some(begin) = line.iter().rposition(|byte| *byte == SEPARATOR) {
                return Some(self.decode(&line[begin..line.len() - 1]));
            }
        }
    }

    fn decode<M: DeserializeOwned>(&mut self, record: &[u8]) -> Result<M, String> {
        let (head, text) = record.split_at_checked(HEAD).ok_or_else(|| "a record that is cut".to_owned())?;
        let word = |range: std::ops::Range<usize>| {
            let digits = head.get(range).and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok())
        };
        let (Some(number), Some(sum)) = (word(1..9), word(10..18)) else {
            return Err("a record without its number".to_owned());
        };
        if sum != crc32fast::hash(text) {
            return Err(format!("record {number} is damaged"));
        }
        if number != self.last.wrapping_add(1) {
            return Err(format!("record {number} after record {}", self.last));
        }
        self.last = number;
        serde_json::from_slice(text).map_err(|error| format!("record {number}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{CAP, Reader, Writer, encode};

    fn read(bytes: &[u8]) -> Vec<Result<String, String>> {
        let mut reader = Reader::default();
        let mut all = Vec::new();
        // By pieces, as a serial line gives them.
        for piece in bytes.chunks(7) {
            reader.feed(piece);
            while let Some(message) = reader.next() {
                all.push(message);
            }
        }
        all
    }

    fn two() -> [Vec<u8>; 2] {
        let mut writer = Writer::default();
        ["one", "two\n"].map(|text| writer.record(&text).unwrap())
    }

    #[test]
    fn records_arrive_whatever_is_between_them() {
        let [one, two] = two();
        let noise = b"ttyS1: 1 input overrun(s)\r\n";
        let check = |parts: &[&[u8]]| {
            assert_eq!(read(&parts.concat()), [Ok("one".to_owned()), Ok("two\n".to_owned())]);
        };
        check(&[&one, &two]);
        check(&[noise, &one, noise, &two, noise]);
        check(&[b"no newline", &one, b"\0\xff", &two]);
    }

    #[test]
    fn what_is_damaged_cut_doubled_or_missing_is_told() {
        let [one, two] = two();
        let check = |parts: &[&[u8]], expected: &[Result<&str, &str>]| {
            let expected: Vec<_> =
                expected.iter().map(|each| each.map(str::to_owned).map_err(str::to_owned)).collect();
            assert_eq!(read(&parts.concat()), expected);
        };
        check(&[&one, &one, &two], &[Ok("one"), Err("record 1 after record 1"), Ok("two\n")]);
        check(&[&two], &[Err("record 2 after record 0")]);
        check(&[&one[..12], b"\n", &one], &[Err("a record that is cut"), Ok("one")]);
        // A record cut short by another is none, and the other counts.
        check(&[&one[..22], &one], &[Ok("one")]);
        let damaged = [&one[..20], b"X", &one[21..]].concat();
        check(&[&damaged, &one], &[Err("record 1 is damaged"), Ok("one")]);
        check(
            &[&encode(1, &7).unwrap()],
            &[Err("record 1: invalid type: integer `7`, expected a string at line 1 column 1")],
        );
    }

    #[test]
    fn what_never_ends_is_bounded() {
        let mut reader = Reader::default();
        reader.feed(&vec![b'x'; CAP + 1]);
        let told: Option<Result<String, String>> = reader.next();
        assert_eq!(told, Some(Err("a record of more than 8388608 bytes".to_owned())));
        assert!(reader.bytes.is_empty());
    }
}
