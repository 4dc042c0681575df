//! Unpacks an archive's layers into a root.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use super::blobs::Blobs;
use super::feed::feed;
use super::identify::{Identity, Shape, refuse};
use super::manifest::{self, Layer};
use crate::image::error::{Result, io};
use crate::image::recipe::{ArchiveSource, Limits};
use crate::image::report::Report;
use crate::image::unpack::{Compression, Order, decoder};

/// What the first members of a layout's tar may be called; a root filesystem's first entry is called otherwise.
const LAYOUT: &[&str] = &["blobs", "index.json", "oci-layout", "manifest.json", "repositories"];

/// Makes the image in the empty directory `root`.
pub(in super::super) fn build(source: &ArchiveSource, identity: &Identity, root: &Path) -> Result<Report> {
    let limits = source.limits;
    let (report, read) = match &identity.shape {
        Shape::Folder(blobs, layers) => {
            (all(blobs, layers, limits, root).map_err(|why| refuse(&source.path, why))?, None)
        }
        Shape::File(path) => file(path, limits, root)?,
    };
    // The file was read twice, for its digest and for its content; it must have been the same both times.
    match read {
        Some(read) if read != identity.digest => {
            Err(refuse(&source.path, "it was changed while it was read"))
        }
        _ => Ok(report),
    }
}

/// A file: a layout, or else the root filesystem itself.
fn file(path: &Path, limits: Limits, root: &Path) -> Result<(Report, Option<String>)> {
    let mut archive = File::open(path).map_err(io("open", path))?;
    let said = |why| refuse(path, why);
    if is_layout(&archive).map_err(said)? {
        let layout = plain(archive, limits).map_err(said)?;
        let blobs =
            Blobs::tar(layout).map_err(|error| said(format!("its members cannot be read: {error}")))?;
        let image = if blobs.has("manifest.json") { manifest::docker(&blobs) } else { manifest::oci(&blobs) };
        return Ok((all(&blobs, &image.map_err(said)?.layers, limits, root).map_err(said)?, None));
    }
    archive.seek(SeekFrom::Start(0)).map_err(io("seek", path))?;
    let mut report = Report::default();
    let order = Order { root: root.to_owned(), layer: false, limits };
    let (_, digest) = feed(archive, &order, &mut report).map_err(said)?;
    Ok((report, Some(digest)))
}

/// Looks at the first members: those of a layout are named like one until its mark is met.
fn is_layout(archive: &File) -> std::result::Result<bool, String> {
    let plain = decoder(BufReader::new(archive)).map_err(|error| error.to_string())?;
    let mut tar = tar::Archive::new(plain);
    for entry in tar.entries().map_err(|error| error.to_string())? {
        // What is wrong with a tar, the unpacker says better.
        let Ok(entry) = entry else { return Ok(false) };
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let first = path.trim_start_matches("./").split('/').next().unwrap_or_default().to_owned();
        if matches!(first.as_str(), "manifest.json" | "oci-layout") {
            return Ok(true);
        }
        let digest = first.len() >= 64 && first.bytes().take(64).all(|byte| byte.is_ascii_hexdigit());
        if !digest && !LAYOUT.contains(&first.as_str()) {
            return Ok(false);
        }
    }
    Ok(false)
}

/// The layout's tar itself, decompressed into a file without a name if need be: its members are read in any order.
fn plain(mut archive: File, limits: Limits) -> std::result::Result<File, String> {
    let say = |error: std::io::Error| error.to_string();
    let mut start = [0; 6];
    archive.seek(SeekFrom::Start(0)).map_err(say)?;
    let read = archive.read(&mut start).map_err(say)?;
    archive.seek(SeekFrom::Start(0)).map_err(say)?;
    if Compression::of(&start[..read]) == Compression::None {
        return Ok(archive);
    }
    let mut plain = tempfile::tempfile().map_err(say)?;
    let copied =
        std::io::copy(&mut decoder(BufReader::new(archive)).map_err(say)?.take(limits.bytes), &mut plain);
    if copied.map_err(say)? == limits.bytes {
        return Err(format!("a bomb: it unpacks to {} bytes and more", limits.bytes));
    }
    Ok(plain)
}

/// All layers, one after the other, with what is left of the limits.
fn all(
    blobs: &Blobs,
    layers: &[Layer],
    mut limits: Limits,
    root: &Path,
) -> std::result::Result<Report, String> {
    let mut report = Report::default();
    for layer in layers {
        let order = Order { root: root.to_owned(), layer: true, limits };
        let told = |why| format!("layer `{}`: {why}", layer.name);
        let (done, digest) = feed(blobs.open(&layer.name)?, &order, &mut report).map_err(told)?;
        compare("sha256", layer.digest.as_deref(), &digest).map_err(told)?;
        compare("diff id", layer.diff_id.as_deref(), &done.diff_id).map_err(told)?;
        limits.entries = limits.entries.saturating_sub(done.entries);
        limits.bytes = limits.bytes.saturating_sub(done.bytes);
    }
    Ok(report)
}

fn compare(what: &str, stated: Option<&str>, real: &str) -> std::result::Result<(), String> {
    match stated {
        Some(stated) if stated != real => Err(format!("its {what} is {real}, and {stated} is stated")),
        _ => Ok(()),
    }
}
