//! What the kernel says: all of it, within bounds.

/// The most that is kept of the beginning, and as much again of the end.
const HALF: usize = 2 << 20;

/// The console's text. Where there was too much of it, the middle is missing.
#[derive(Debug, Clone, Default)]
pub(in crate::vm) struct Console {
    beginning: Vec<u8>,
    end: Vec<u8>,
    lost: usize,
}

impl Console {
    /// Takes in what has come.
    pub(in crate::vm) fn feed(&mut self, bytes: &[u8]) {
        let room = HALF - self.beginning.len();
        let (now, rest) = bytes.split_at(room.min(bytes.len()));
        self.beginning.extend_from_slice(now);
        self.end.extend_from_slice(rest);
        if self.end.len() > HALF {
            let over = self.end.len() - HALF;
            self.end.drain(..over);
            self.lost += over;
        }
    }

    /// How much has come, in bytes: a place in the text.
    pub(in crate::vm) fn len(&self) -> usize {
        self.beginning.len() + self.lost + self.end.len()
    }

    /// The text from this place on.
    pub(in crate::vm) fn since(&self, place: usize) -> String {
        self.between(place, self.len())
    }

    /// The text from one place to another.
    pub(in crate::vm) fn between(&self, from: usize, to: usize) -> String {
        let part = |bytes: &[u8], starts: usize| {
            let [from, to] = [from, to].map(|place| place.saturating_sub(starts).min(bytes.len()));
            bytes.get(from..to).unwrap_or_default().to_vec()
        };
        let lost = self.beginning.len()..self.beginning.len() + self.lost;
        let gap = lost.end.min(to).saturating_sub(lost.start.max(from));
        let gap = if gap > 0 { format!("\n[{gap} bytes are left out]\n") } else { String::new() };
        let bytes = [part(&self.beginning, 0), gap.into_bytes(), part(&self.end, lost.end)].concat();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }
}

#[cfg(test)]
mod tests {
    use super::{Console, HALF};

    #[test]
    fn the_middle_is_left_out_where_there_is_too_much() {
        let mut console = Console::default();
        console.feed(b"begin\r\n");
        let place = console.len();
        console.feed(b"one\n");
        assert_eq!(console.since(place), "one\n");
        assert_eq!(console.since(0), "begin\none\n");
        assert_eq!([console.between(2, 9), console.between(0, 99)], ["gin\non", "begin\none\n"]);
        console.feed(&vec![b'x'; 3 * HALF]);
        console.feed(b"end");
        let all = console.since(0);
        assert!(all.starts_with("begin\none\nxxx") && all.ends_with("xxxend"), "{}", all.len());
        assert!(all.contains("\n[2097166 bytes are left out]\n"), "{}", &all[HALF..HALF + 40]);
        assert!(console.since(place).starts_with("one\nxxx"));
        assert_eq!(console.since(console.len() - 3), "end");
        assert_eq!(console.between(2 * HALF - 9, 2 * HALF), "\n[9 bytes are left out]\n");
    }
}
