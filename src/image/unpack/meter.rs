//! Readers that count, and stop what grows beyond all bounds.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::image::Limits;

/// What the headers between two entries may take, long names and extended attributes together.
const HEADERS: u64 = 2 << 20;

/// Below this a ratio says nothing: an empty file system compresses a thousand times.
const SMALL: u64 = 64 << 20;

/// The counts, which the readers and the unpacker share.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Bytes that came in, compressed.
    pub(super) packed: Cell<u64>,
    /// Bytes after decompression.
    pub(super) unpacked: Cell<u64>,
    /// Where `unpacked` stood when the last entry ended; nothing while an entry's content is read.
    pub(super) between: Cell<Option<u64>>,
    /// Whether the stream has ended.
    pub(super) ended: Cell<bool>,
}

/// Counts what comes in.
#[derive(Debug)]
pub(super) struct Packed<R> {
    pub(super) inner: R,
    pub(super) counts: Rc<Counts>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.counts.packed.set(self.counts.packed.get() + read as u64);
        Ok(read)
    }
}

/// Counts and hashes what comes out of the decompression, and stops a bomb.
#[derive(Debug)]
pub(super) struct Unpacked<R> {
    pub(super) inner: R,
    pub(super) counts: Rc<Counts>,
    pub(super) limits: Limits,
    pub(super) hash: Rc<std::cell::RefCell<Sha256>>,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.counts.ended.set(read == 0 && !buffer.is_empty());
        self.counts.unpacked.set(self.counts.unpacked.get() + read as u64);
        self.hash.borrow_mut().update(&buffer[..read]);
        check(&self.counts, self.limits).map_err(io::Error::other)?;
        Ok(read)
    }
}

fn check(counts: &Counts, limits: Limits) -> Result<(), String> {
    let (packed, unpacked) = (counts.packed.get(), counts.unpacked.get());
    // A header and its padding take at most 1 KiB besides the content; as much again for long names.
    let most = limits.bytes.saturating_add(limits.entries.saturating_mul(2048)).saturating_add(HEADERS);
    if unpacked > most {
        return Err(format!("a bomb: the tar has more than {most} bytes"));
    }
    if unpacked > SMALL && unpacked / limits.ratio.max(1) > packed {
        return Err(format!("a bomb: {unpacked} bytes out of {packed}, more than {} times", limits.ratio));
    }
    match counts.between.get() {
        Some(start) if unpacked - start > HEADERS => {
            Err(format!("its headers have more than {HEADERS} bytes"))
        }
        _ => Ok(()),
    }
}
