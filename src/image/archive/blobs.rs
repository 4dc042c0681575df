//! The files of a layout: in a folder, or as members of a tar that is read in place.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest JSON document of a layout; manifests have a few KiB.
const DOCUMENT: u64 = 4 << 20;

/// The most members of a layout's tar: 127 layers with their folders, several images.
const MEMBERS: usize = 10_000;

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) enum Blobs {
    Folder(PathBuf),
    Tar(Arc<File>, HashMap<String, (u64, u64)>),
}

impl Blobs {
    pub(super) fn folder(path: &Path) -> Self {
        Self::Folder(path.to_owned())
    }

    /// The members of an uncompressed tar.
    pub(super) fn tar(mut file: File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut members = HashMap::new();
        let mut archive = tar::Archive::new(&file);
        for entry in archive.entries_with_seek()?.take(MEMBERS) {
            let entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let place = (entry.raw_file_position(), entry.size());
            if entry.header().entry_type().is_file() {
                members.insert(name.trim_start_matches("./").to_owned(), place);
            }
        }
        Ok(Self::Tar(Arc::new(file), members))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(path) => plain(name) && path.join(name).is_file(),
            Self::Tar(_, members) => members.contains_key(name),
        }
    }

    /// Opens one. A name that leads out of the layout is not there.
    pub(super) fn open(&self, name: &str) -> Result<Box<dyn Read>, String> {
        let missing = || format!("`{name}` is missing from it");
        match self {
            Self::Folder(path) if plain(name) && path.join(name).is_file() => {
                let file = File::open(path.join(name)).map_err(|error| format!("`{name}`: {error}"))?;
                Ok(Box::new(file))
            }
            Self::Folder(_) => Err(missing()),
            Self::Tar(file, members) => {
                let (at, size) = *members.get(name).ok_or_else(missing)?;
                Ok(Box::new(Member { file: Arc::clone(file), at, left: size, name: name.to_owned() }))
            }
        }
    }

    /// Reads a JSON document.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        let read = self.open(name)?.take(DOCUMENT + 1).read_to_end(&mut text);
        read.map_err(|error| format!("`{name}`: {error}"))?;
        if text.len() as u64 > DOCUMENT {
            Err(format!("`{name}` has more than {DOCUMENT} bytes"))
        } else {
            Ok(text)
        }
    }
}

/// Whether a name stays in the folder.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// A part of a file. One that ends too soon is an error: the size is what the tar's header states.
struct Member {
    file: Arc<File>,
    at: u64,
    left: u64,
    name: String,
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        if read == 0 && most > 0 {
            let why = format!("entry `{}` is truncated: {} bytes are missing", self.name, self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
