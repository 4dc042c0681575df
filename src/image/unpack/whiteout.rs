//! Whiteouts of OCI layers (image-spec, layer.md): files whose names say what of the layers below is gone.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What a name means in a layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// An ordinary entry.
    Entry,
    /// This sibling is gone.
    Gone(&'a OsStr),
    /// All that lower layers have in this folder is gone.
    Opaque,
    /// A note of AUFS to itself, which means nothing here: `.wh..wh.plnk`.
    Note,
}

/// Reads a name.
pub(super) fn meaning(name: &OsStr) -> Result<Meaning<'_>, String> {
    match name.as_bytes().strip_prefix(b".wh.") {
        None => Ok(Meaning::Entry),
        Some(b".wh..opq") => Ok(Meaning::Opaque),
        Some(note) if note.starts_with(b".wh.") => Ok(Meaning::Note),
        Some(b"" | b"." | b"..") => Err("it is a whiteout of no name".to_owned()),
        Some(gone) => Ok(Meaning::Gone(OsStr::from_bytes(gone))),
    }
}

/// Deletes `path` and what is below it, but for what this layer itself has made: whiteouts hide lower layers only, wherever in
/// the tar they stand. Says whether anything is left.
pub(super) fn delete(path: &Path, made: &HashSet<PathBuf>) -> std::io::Result<bool> {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return Ok(false) };
    let mut left = made.contains(path);
    if meta.is_dir() {
        left |= delete_in(path, made)?;
        if !left {
            std::fs::remove_dir(path)?;
        }
    } else if !left {
        std::fs::remove_file(path)?;
    }
    Ok(left)
}

/// As [`delete`], for what is in a folder.
pub(super) fn delete_in(folder: &Path, made: &HashSet<PathBuf>) -> std::io::Result<bool> {
    let mut left = false;
    for entry in std::fs::read_dir(folder)? {
        left |= delete(&entry?.path(), made)?;
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_the_image_spec_says() {
        let check =
            |name: &str, expected: Meaning<'_>| assert_eq!(meaning(OsStr::new(name)).unwrap(), expected);
        check("a", Meaning::Entry);
        check("x.wh.a", Meaning::Entry);
        check(".wh.a", Meaning::Gone(OsStr::new("a")));
        check(".wh..wh..opq", Meaning::Opaque);
        check(".wh..wh.plnk", Meaning::Note);
        for hostile in [".wh.", ".wh..", ".wh..."] {
            assert!(meaning(OsStr::new(hostile)).is_err(), "{hostile}");
        }
    }

    #[test]
    fn what_the_layer_made_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("folder");
        std::fs::create_dir_all(folder.join("old/deep")).unwrap();
        std::fs::create_dir_all(folder.join("mixed")).unwrap();
        std::fs::write(folder.join("mixed/new"), "").unwrap();
        std::fs::write(folder.join("mixed/old"), "").unwrap();
        let made = HashSet::from([folder.join("mixed/new")]);
        assert!(delete_in(&folder, &made).unwrap());
        assert!(
            !folder.join("old").exists()
                && !folder.join("mixed/old").exists()
                && folder.join("mixed/new").exists()
        );
    }
}
