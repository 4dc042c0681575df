//! Decompression, by what the stream starts with and not by a name.

use std::io::{self, BufRead, Read};

use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The most memory that a stream's dictionary may ask for: `xz -9` asks for 64 MiB, `zstd --ultra -22` for 128 MiB.
const WINDOW_KIB: u32 = 256 << 10;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz file format.
    Xz,
}

impl Compression {
    /// By the first bytes.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // RFC 8878, 3.1: a frame, or a skippable one before it (0x184D2A50 to 5F).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// The decompressed stream.
pub(crate) fn decoder<'a, R: BufRead + 'a>(mut compressed: R) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match Compression::of(compressed.fill_buf()?) {
        Compression::None => Box::new(compressed),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(compressed)),
        Compression::Xz => Box::new(XzReader::new_mem_limit(compressed, true, WINDOW_KIB)),
        Compression::Zstd => Box::new(Zstd::new(compressed)),
    })
}

/// A zstd stream may be several frames, with skippable ones between; the crate's decoder reads one.
struct Zstd<R> {
    source: R,
    frame: FrameDecoder,
    within: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(u64::from(WINDOW_KIB) << 10);
        Self { source, frame, within: false }
    }

    /// Begins the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
            }
        }
        Ok(false)
    }

    /// Decodes until there is something to give out or the frame ends, where its checksum is compared.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while self.frame.can_collect() < wanted && !self.frame.is_finished() {
            let strategy = BlockDecodingStrategy::UptoBlocks(1);
            let decoded = self.frame.decode_blocks(&mut self.source, strategy);
            decoded.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within {
                self.within = self.next_frame()?;
                if !self.within {
                    return Ok(0);
                }
            }
            self.fill(buffer.len())?;
            let read = self.frame.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.within = false;
            if let (Some(stated), Some(real)) =
                (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum())
                && stated != real
            {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a zstd frame's checksum is wrong"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(compressed: &[u8], expected: &[u8]) {
        let mut plain = Vec::new();
        decoder(compressed).unwrap().read_to_end(&mut plain).unwrap();
        assert_eq!(plain, expected);
    }

    /// `printf hello | gzip`, and so on, with zstd's two frames and a skippable one between them.
    #[test]
    fn each_compression_is_found_and_undone() {
        check(b"hello", b"hello");
        check(b"", b"");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, b"hello").unwrap();
        let gzip = gzip.finish().unwrap();
        check(&gzip, b"hello");
        check(&[gzip.clone(), gzip].concat(), b"hellohello");
        let zstd =
            ruzstd::encoding::compress_to_vec(&b"hello"[..], ruzstd::encoding::CompressionLevel::Fastest);
        check(&zstd, b"hello");
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        check(&[&zstd[..], &skippable, &zstd].concat(), b"hellohello");
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        io::Write::write_all(&mut xz, b"hello").unwrap();
        check(&xz.finish().unwrap(), b"hello");
    }

    #[test]
    fn a_cut_stream_is_an_error_and_not_an_end() {
        let zstd =
            ruzstd::encoding::compress_to_vec(&b"hello"[..], ruzstd::encoding::CompressionLevel::Fastest);
        for cut in 1..zstd.len() {
            if Compression::of(&zstd[..cut]) == Compression::Zstd {
                assert!(decoder(&zstd[..cut]).unwrap().read_to_end(&mut Vec::new()).is_err(), "cut at {cut}");
            }
        }
    }
}
