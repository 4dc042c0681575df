//! What an archive is, by its content.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::blobs::Blobs;
use super::manifest::{self, Layer};
use crate::image::digest::hex;
use crate::image::error::{ImageError, Result, io};
use crate::image::recipe::ArchiveSource;
use crate::image::stamp::Stamp;

/// An archive, identified but not yet unpacked.
#[derive(Debug)]
pub(in super::super) struct Identity {
    /// Its SHA-256: of the file, or of an OCI layout folder's manifest, which names all else by digest.
    pub(in super::super) digest: String,
    /// The files that it is made of.
    pub(in super::super) inputs: Vec<Stamp>,
    pub(super) shape: Shape,
}

/// A file, whose content is yet to be looked at, or the layers of a folder.
#[derive(Debug)]
pub(super) enum Shape {
    File(PathBuf),
    Folder(Blobs, Vec<Layer>),
}

/// Reads a file through once, or the manifest of a folder.
pub(in super::super) fn identify(source: &ArchiveSource) -> Result<Identity> {
    let path = &source.path;
    let meta = std::fs::metadata(path).map_err(io("open", path))?;
    if meta.is_dir() {
        return folder(path);
    }
    // A FIFO would be waited for, a device could be endless.
    if !meta.is_file() {
        return Err(refuse(path, "it is neither a file nor a folder"));
    }
    let inputs = vec![Stamp::of(path)];
    let digest = sha256(File::open(path).map_err(io("open", path))?).map_err(io("read", path))?;
    match &source.sha256 {
        Some(stated) if !stated.eq_ignore_ascii_case(&digest) => {
            Err(refuse(path, format!("its sha256 is {digest}, and the recipe states {stated}")))
        }
        _ => Ok(Identity { digest, inputs, shape: Shape::File(path.clone()) }),
    }
}

fn folder(path: &Path) -> Result<Identity> {
    let blobs = Blobs::folder(path);
    let image = manifest::oci(&blobs).map_err(|why| refuse(path, why))?;
    let files = ["oci-layout", "index.json"].into_iter().chain(image.files.iter().map(String::as_str));
    let inputs = files.map(|name| Stamp::of(&path.join(name))).collect();
    Ok(Identity { digest: image.digest, inputs, shape: Shape::Folder(blobs, image.layers) })
}

/// The digest of all that is left in a reader, in hexadecimal.
pub(super) fn sha256(mut reader: impl Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(hash)),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// The error about this archive.
pub(super) fn refuse(archive: &Path, why: impl Into<String>) -> ImageError {
    ImageError::Archive { archive: archive.display().to_string(), why: why.into() }
}
