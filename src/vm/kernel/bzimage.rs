//! The header of an x86 boot image, and the kernel that is packed in it (`Documentation/arch/x86/boot.rst`).

use super::format::{Format, Packing};
use crate::image::unpack::Compression;

/// The most that the kernel in an image unpacks to: those of distributions have some 60 MB, one with everything built in some 300.
pub(super) const LARGEST: u64 = 512 << 20;

/// `xloadflags`: the image has the 64-bit entry point.
const KERNEL_64: u16 = 1;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BzImage<'a> {
    /// The release: `6.1.0-56-amd64`.
    pub(super) release: String,
    /// Whether it is for x86-64; before protocol 2.12 the header does not say, and it is taken to be.
    pub(super) is_64: bool,
    /// The packed kernel; images of before protocol 2.08 do not say where it is.
    pub(super) payload: Option<Payload<'a>>,
}

/// The packed kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payload<'a> {
    /// How it is packed.
    pub(super) packing: Packing,
    /// The packed bytes alone.
    pub(super) packed: &'a [u8],
    /// How much it unpacks to.
    pub(super) size: u32,
}

impl<'a> BzImage<'a> {
    /// Reads the header of an image.
    ///
    /// # Errors
    /// What of it does not fit.
    pub(super) fn parse(image: &'a [u8]) -> Result<Self, String> {
        let cut = || "it ends within its header".to_owned();
        let protocol = word(image, 0x206).ok_or_else(cut)?;
        let release = release(image)?;
        let flags = if protocol >= 0x20c { word(image, 0x236).ok_or_else(cut)? } else { KERNEL_64 };
        let payload = if protocol >= 0x208 { Some(payload(image)?) } else { None };
        Ok(Self { release, is_64: flags & KERNEL_64 != 0, payload })
    }
}

/// `kernel_version`: where, counted from 0x200, a text lies that begins with the release.
fn release(image: &[u8]) -> Result<String, String> {
    let at = usize::from(word(image, 0x20e).ok_or("it ends within its header")?);
    if at == 0 {
        return Err("its header names no version".to_owned());
    }
    let text = image.get(at + 0x200..).ok_or("it ends before the text with its version")?;
    super::release::first_word(text).ok_or_else(|| "the text with its version is garbled".to_owned())
}

fn payload(image: &[u8]) -> Result<Payload<'_>, String> {
    let cut = || "it ends within its header".to_owned();
    // Zero stands for four, for the sake of very old images.
    let sectors = match image.get(0x1f1).ok_or_else(cut)? {
        0 => 4,
        sectors => usize::from(*sectors),
    };
    let offset = double(image, 0x248).ok_or_else(cut)? as usize;
    let length = double(image, 0x24c).ok_or_else(cut)? as usize;
    let start = (sectors + 1) * 512 + offset;
    let whole = image.get(start..start.saturating_add(length)).ok_or_else(|| {
        format!("it has {} bytes, and its header speaks of {}", image.len(), start.saturating_add(length))
    })?;
    let size = whole.last_chunk().map(|size| u32::from_le_bytes(*size)).ok_or("it holds no kernel")?;
    let Format::Packed(packing) = Format::of(whole) else {
        return Err("the kernel in it is packed in no way that is known".to_owned());
    };
    // The size is the last word of gzip's own format; to the others the build appends it (scripts/Makefile.lib, size_append).
    let is_gzip = packing == Packing::Common(Compression::Gzip);
    let packed = if is_gzip { whole } else { &whole[..whole.len() - 4] };
    Ok(Payload { packing, packed, size })
}

fn word(image: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*image.get(at..)?.first_chunk()?))
}

fn double(image: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?))
}
