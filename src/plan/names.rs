//! Where specs are, and what their tests' names begin with.

use std::io;
use std::path::{Path, PathBuf};

/// The deepest folder that is looked into.
const DEEPEST: usize = 16;

/// The spec files of a folder (all `*.yaml` and `*.yml` below it, sorted), or a single file, each with the prefix of its
/// tests' names: its path below the folder, without the ending.
pub fn spec_files(place: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    // A name that stands for nothing is told as such, and not as a spec that cannot be read.
    std::fs::metadata(place)?;
    if !place.is_dir() {
        let name = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![(place.to_owned(), name)]);
    }
    let mut files = Vec::new();
    collect(place, &mut files, 0)?;
    files.sort();
    let prefix = |path: &PathBuf| {
        let below = path.strip_prefix(place).unwrap_or(path).with_extension("");
        below.to_string_lossy().into_owned()
    };
    Ok(files.into_iter().map(|path| (path.clone(), prefix(&path))).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_spec = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if path.is_dir() && !hidden {
            collect(&path, files, depth + 1)?;
        } else if is_spec && !hidden {
            files.push(path);
        }
    }
    Ok(())
}
