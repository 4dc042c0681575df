//! Unpacks kernels, modules and packages, never beyond a bound.

use std::io::{self, BufRead, Read};

use lzma_rust2::LzmaReader;

use super::format::Packing;
use crate::image::unpack::decoder;

/// The most memory in KiB that a dictionary may ask for.
const DICTIONARY: u32 = 256 << 10;

/// What a block of the legacy lz4 format holds at most (`LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE` of `lib/decompress_unlz4.c`).
const LZ4_BLOCK: usize = 8 << 20;

/// The unpacked stream, which ends in an error after `most` bytes.
///
/// # Errors
/// The packing is one that is not unpacked here, or the stream's header is wrong.
pub(super) fn unpacked<'a>(
    packing: Packing,
    packed: impl BufRead + 'a,
    most: u64,
) -> io::Result<Bounded<Box<dyn Read + 'a>>> {
    let inner: Box<dyn Read + 'a> = match packing {
        Packing::Common(_) => decoder(packed)?,
        Packing::Lz4Legacy => Box::new(Lz4Legacy::new(packed)),
        Packing::Lzma => Box::new(LzmaReader::new_mem_limit(packed, DICTIONARY, None)?),
        Packing::Unknown(name) => {
            let why = format!("it is compressed with {name}, which airtight does not unpack");
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
    };
    Ok(Bounded { inner, left: most, most })
}

/// A reader that is refused more than so many bytes.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R> Bounded<R> {
    /// Bounds a reader.
    pub(super) const fn new(inner: R, most: u64) -> Self {
        Self { inner, left: most, most }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(TooMuch(self.most))),
        }
        Ok(read)
    }
}

/// More came than was allowed.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {0} bytes")]
pub(super) struct TooMuch(u64);

/// The legacy format of lz4: blocks after their length, until the input ends.
struct Lz4Legacy<R> {
    packed: R,
    begun: bool,
    block: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Lz4Legacy<R> {
    const fn new(packed: R) -> Self {
        Self { packed, begun: false, block: Vec::new(), given: 0 }
    }

    /// Unpacks the next block; false where the input ends.
    fn next(&mut self) -> io::Result<bool> {
        if !self.begun {
            self.packed.read_exact(&mut [0; 4])?;
            self.begun = true;
        }
        if self.packed.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut length = [0; 4];
        self.packed.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        // lz4's own bound of what a block of that size can grow to (LZ4_compressBound).
        if length == 0 || length > LZ4_BLOCK + LZ4_BLOCK / 255 + 16 {
            return Err(invalid(format!("an lz4 block of {length} bytes")));
        }
        let mut packed = vec![0; length];
        self.packed.read_exact(&mut packed)?;
        self.block.resize(LZ4_BLOCK, 0);
        let size = lz4_flex::block::decompress_into(&packed, &mut self.block).map_err(invalid)?;
        self.block.truncate(size);
        self.given = 0;
        Ok(true)
    }
}

impl<R: BufRead> Read for Lz4Legacy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let read = (&self.block[self.given..]).read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
