//! What goes into an initramfs, and in which order.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::closure::{own_program, within};
use super::pieces::{Content, Piece};
use crate::vm::kernel::Module;
use crate::vm::layout::{MODULES, image_root};

/// What a VM is to have.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    /// The image whose programs are the guest's own too, with its digest.
    pub(crate) base: (&'a str, &'a Path),
    /// Further images, by their digests.
    pub(crate) images: &'a [(String, PathBuf)],
    /// Files of a runtime.
    pub(crate) pieces: &'a [Piece],
    /// Modules in the order in which they are to be loaded, with their bytes.
    pub(crate) modules: &'a [Module],
    /// The kernel's release and its configuration.
    pub(crate) config: Option<(&'a str, &'a str)>,
}

/// Why there is no initramfs.
#[derive(Debug, thiserror::Error)]
#[error("the initramfs {} could not be written: {source}", .path.display())]
pub(crate) struct InitramfsError {
    /// Where it was to be.
    pub(crate) path: PathBuf,
    /// Why not.
    pub(crate) source: io::Error,
}

/// Writes it. The archive is not compressed: what unpacking would take is more than what reading it takes.
pub(crate) fn write(path: &Path, contents: &Contents<'_>) -> Result<(), InitramfsError> {
    let write = || {
        let mut archive = Archive::new(BufWriter::new(File::create(path)?), 0);
        pack(&mut archive, contents)?;
        archive.finish()?.flush()
    };
    write().map_err(|source| InitramfsError { path: path.to_owned(), source })
}

fn pack(archive: &mut Archive<impl Write>, contents: &Contents<'_>) -> io::Result<()> {
    let (digest, base) = contents.base;
    archive.tree(base, &[Path::new("/"), &image_root(digest)])?;
    for (digest, folder) in contents.images {
        archive.tree(folder, &[&image_root(digest)])?;
    }
    // The kernel opens it for the first process before devtmpfs is there.
    archive.device(Path::new("/dev/console"), 0o600, (5, 1))?;
    archive.device(Path::new("/dev/null"), 0o666, (1, 3))?;
    let own = own_program()?;
    archive.file(Path::new("/init"), 0o755, &own.program)?;
    for library in &own.libraries {
        archive.file(&within(base, library), 0o755, &fs::read(library)?)?;
    }
    contents.pieces.iter().try_for_each(|piece| lay(archive, piece))?;
    for (number, Module { name, bytes }) in contents.modules.iter().enumerate() {
        archive.file(&Path::new(MODULES).join(format!("{number:04}-{name}.ko")), 0o644, bytes)?;
    }
    if let Some((release, text)) = contents.config {
        archive.file(&Path::new("/boot").join(format!("config-{release}")), 0o644, text.as_bytes())?;
    }
    Ok(())
}

fn lay(archive: &mut Archive<impl Write>, Piece { place, content }: &Piece) -> io::Result<()> {
    match content {
        Content::Of(source) => archive.file(place, fs::metadata(source)?.mode() & 0o7777, &fs::read(source)?),
        Content::Text(text) => archive.file(place, 0o644, text.as_bytes()),
        Content::Directory => archive.directory(place, 0o755),
        Content::Link(target) => archive.link(place, target),
    }
}
