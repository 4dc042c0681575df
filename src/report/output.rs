//! Standard output, to which reports go, and whether they arrived.

use std::io::{Error, ErrorKind, Write};

/// Standard output, line by line.
#[derive(Debug, Default)]
pub(crate) struct Output {
    lost: Option<Error>,
}

impl Output {
    /// Writes a line. A reader that has gone needs no more lines; one that could not be written for another reason, as a full disk, is
    /// remembered.
    pub(crate) fn line(&mut self, text: &str) {
        let mut stream = anstream::stdout();
        let written = writeln!(stream, "{text}").and_then(|()| stream.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.lost.get_or_insert(error);
        }
    }

    /// Whether all of it is there.
    pub(crate) fn into_result(self) -> Result<(), Error> {
        self.lost.map_or(Ok(()), Err)
    }

    /// Why a line is not there.
    pub(super) const fn lost(&self) -> Option<&Error> {
        self.lost.as_ref()
    }
}
