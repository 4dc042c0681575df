//! A sandbox's scratch folder on the host: what a hostile image leads to, and what is looked at afterwards.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::fact::Traces;
use crate::image::{delete_tree, hex};
use crate::sys::{Failure, Result};

/// More entries than these, and deeper ones, are refused, never cut.
const MOST: usize = 1000;
const DEEPEST: usize = 8;
/// No more of a file is read: a longer one differs by its size.
const LONGEST: u64 = 1 << 20;

/// A scratch folder. Dropping it deletes it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// What each entry was like when it was laid out, by its path from the folder; the folder's own is empty.
    laid: BTreeMap<PathBuf, String>,
}

impl Scratch {
    /// Lays one out at this path, where nothing is yet: what keeps a sandbox from it must not be its permissions.
    pub fn lay(path: PathBuf) -> Result<Self> {
        let mut scratch = Self { path, laid: BTreeMap::new() };
        for folder in ["", "folder"] {
            make_folder(&scratch.path.join(folder))?;
        }
        for file in ["file", "folder/file"] {
            make_file(&scratch.path.join(file))?;
        }
        scratch.laid = scratch.entries()?;
        Ok(scratch)
    }

    fn entries(&self) -> Result<BTreeMap<PathBuf, String>> {
        let mut found = BTreeMap::new();
        self.walk(Path::new(""), 0, &mut found)?;
        Ok(found)
    }

    fn walk(&self, name: &Path, depth: usize, found: &mut BTreeMap<PathBuf, String>) -> Result<()> {
        let path = self.path.join(name);
        let (text, is_folder) =
            describe(&path).map_err(|error| Failure::from_io("stat", &[&path], &error))?;
        found.insert(name.to_owned(), text);
        if !is_folder {
            return Ok(());
        }
        for entry in fs::read_dir(&path).map_err(|error| Failure::from_io("readdir", &[&path], &error))? {
            if found.len() > MOST || depth > DEEPEST {
                return Err(Failure::new("readdir", &[&path], nix::errno::Errno::EOVERFLOW));
            }
            let entry = entry.map_err(|error| Failure::from_io("readdir", &[&path], &error))?;
            self.walk(&name.join(entry.file_name()), depth + 1, found)?;
        }
        Ok(())
    }
}

impl Traces for Scratch {
    fn path(&self) -> &Path {
        &self.path
    }

    fn differences(&self) -> std::result::Result<Vec<String>, String> {
        let now = self.entries().map_err(|failure| failure.to_string())?;
        let gone = self.laid.keys().filter(|name| !now.contains_key(*name)).map(|name| (name, "gone"));
        let differs = now.iter().filter_map(|(name, text)| match self.laid.get(name) {
            None => Some((name, "added")),
            Some(laid) if laid != text => Some((name, "changed")),
            Some(_) => None,
        });
        Ok(gone.chain(differs).map(|(name, how)| format!("{}: {how}", shown(name))).collect())
    }
}

/// The folder itself is a dot.
fn shown(name: &Path) -> Cow<'_, str> {
    if name.as_os_str().is_empty() { Cow::Borrowed(".") } else { name.to_string_lossy() }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted is left to the end of the run, and to the next one.
        let _ = delete_tree(&self.path);
    }
}

fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o777)
        .create(path)
        .map_err(|error| Failure::from_io("mkdir", &[&path], &error))?;
    open_to_all(path, 0o777)
}

fn make_file(path: &Path) -> Result<()> {
    fs::write(path, "of the host\n").map_err(|error| Failure::from_io("write", &[&path], &error))?;
    open_to_all(path, 0o666)
}

/// The umask has been applied.
fn open_to_all(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| Failure::from_io("chmod", &[&path], &error))
}

/// All but its times, and whether it is a directory. A directory's size and links follow from what is in it.
fn describe(path: &Path) -> std::io::Result<(String, bool)> {
    let stat = fs::symlink_metadata(path)?;
    let kind = stat.file_type();
    let ids = format!("{:o} {}:{} {}", stat.mode(), stat.uid(), stat.gid(), stat.rdev());
    let more = if kind.is_symlink() {
        fs::read_link(path)?.to_string_lossy().into_owned()
    } else if kind.is_file() {
        format!("{} {} {}", stat.nlink(), stat.size(), digest(path)?)
    } else {
        String::new()
    };
    Ok((format!("{ids} {more}"), kind.is_dir()))
}

/// Of a regular file, as was seen; should it have become something else since, nobody waits for it.
fn digest(path: &Path) -> std::io::Result<String> {
    let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(hex(Sha256::new_with_prefix(&bytes)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What is found after this was done in the folder.
    fn check(act: impl FnOnce(&Path), expected: &[&str]) {
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::lay(place.path().join("scratch")).unwrap();
        act(scratch.path());
        assert_eq!(scratch.differences().unwrap(), expected);
        drop(scratch);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn each_difference_is_found() {
        check(|_| {}, &[]);
        check(|path| drop(fs::read(path.join("file")).unwrap()), &[]);
        check(|path| fs::write(path.join("new"), "").unwrap(), &["new: added"]);
        check(|path| fs::create_dir(path.join("folder/new")).unwrap(), &["folder/new: added"]);
        check(|path| symlink("/no/such", path.join("new")).unwrap(), &["new: added"]);
        check(|path| fs::write(path.join("file"), "of the HOST\n").unwrap(), &["file: changed"]);
        check(|path| open_to_all(&path.join("folder"), 0o700).unwrap(), &["folder: changed"]);
        check(|path| open_to_all(path, 0o700).unwrap(), &[".: changed"]);
        check(|path| fs::remove_file(path.join("folder/file")).unwrap(), &["folder/file: gone"]);
        check(
            |path| fs::hard_link(path.join("file"), path.join("new")).unwrap(),
            &["file: changed", "new: added"],
        );
    }

    #[test]
    fn a_folder_that_is_gone_is_not_unchanged() {
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::lay(place.path().join("scratch")).unwrap();
        fs::remove_dir_all(scratch.path()).unwrap();
        assert!(scratch.differences().is_err());
    }
}
