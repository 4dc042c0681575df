//! From an entry's name to a place in the root.
//!
//! The process is confined, so nothing here keeps it from getting out. This refuses what an honest archive never holds:
//! `..`, and a way through a symbolic link that leads out of the image.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The deepest path; the deletion of a tree counts on it.
const DEEPEST: usize = 200;

/// The kernel's own bound on the links of one path (`path_resolution(7)`).
const HOPS: usize = 40;

/// An entry's name: its parts, without empty ones and `.`. The root itself has none.
pub(super) fn parts(name: &[u8]) -> Result<Vec<OsString>, String> {
    let parts: Vec<&[u8]> =
        name.split(|byte| *byte == b'/').filter(|part| !matches!(part, [] | [b'.'])).collect();
    if parts.contains(&&b".."[..]) {
        return Err("its name leads upwards with `..`".to_owned());
    }
    if name.contains(&0) {
        return Err("its name holds a zero byte".to_owned());
    }
    if parts.len() > DEEPEST {
        return Err(format!("it lies deeper than {DEEPEST} folders"));
    }
    Ok(parts.into_iter().map(|part| OsStr::from_bytes(part).to_owned()).collect())
}

/// What is done about a folder that is missing on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is made, as tar does.
    Make,
    /// The way ends.
    Stop,
}

/// The real folder that `parts` lead to from `root`, with every link resolved within the image. Nothing, if the way ends.
pub(super) fn folder(root: &Path, parts: &[OsString], absent: Absent) -> Result<Option<PathBuf>, String> {
    let mut walk = Walk {
        root,
        real: Vec::new(),
        ahead: parts.iter().map(|part| (part.clone(), None)).collect(),
        hops: 0,
    };
    while let Some((part, link)) = walk.ahead.pop_front() {
        if !walk.step(&part, link.as_deref(), absent)? {
            return Ok(None);
        }
    }
    Ok(Some(walk.here()))
}

/// A path in the making; each part ahead knows the link that it came from, if any.
struct Walk<'a> {
    root: &'a Path,
    real: Vec<OsString>,
    ahead: VecDeque<(OsString, Option<PathBuf>)>,
    hops: usize,
}

impl Walk<'_> {
    fn here(&self) -> PathBuf {
        self.root.join(self.real.iter().collect::<PathBuf>())
    }

    /// Goes one part on. False, where the way ends.
    fn step(&mut self, part: &OsStr, link: Option<&Path>, absent: Absent) -> Result<bool, String> {
        if part == ".." {
            return self.up(link).map(|()| true);
        }
        let path = self.here().join(part);
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => self.real.push(part.to_owned()),
            Ok(meta) if meta.is_symlink() => self.follow(&path)?,
            Ok(_) => {
                return Err(format!(
                    "its way goes through {}, which is not a folder",
                    shown(self.root, &path)
                ));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.to_string()),
            Err(_) if absent == Absent::Stop => return Ok(false),
            Err(_) => self.make(&path, part, link)?,
        }
        Ok(true)
    }

    /// `..` stands in a link's target only: in a name it is refused before.
    fn up(&mut self, link: Option<&Path>) -> Result<(), String> {
        let link = link.unwrap_or(Path::new("")).display();
        let gone = self.real.pop();
        gone.map(drop)
            .ok_or_else(|| format!("its way goes through the link {link}, which leads out of the image"))
    }

    /// Makes a folder that the archive has left out. A link's target is not made: an honest link leads to what is there.
    fn make(&mut self, path: &Path, part: &OsStr, link: Option<&Path>) -> Result<(), String> {
        if let Some(link) = link {
            let link = link.display();
            return Err(format!("its way goes through the link {link}, which leads to nothing in the image"));
        }
        std::fs::create_dir(path)
            .map_err(|error| format!("mkdir of {} failed: {error}", shown(self.root, path)))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).map_err(|error| error.to_string())?;
        self.real.push(part.to_owned());
        Ok(())
    }

    /// An absolute target starts at the image's root, which is what confinement is for.
    fn follow(&mut self, path: &Path) -> Result<(), String> {
        self.hops += 1;
        if self.hops > HOPS {
            return Err(format!("its way goes through more than {HOPS} links"));
        }
        let target = std::fs::read_link(path).map_err(|error| error.to_string())?;
        if target.is_absolute() {
            self.real.clear();
        }
        let from = PathBuf::from(shown(self.root, path));
        let parts = target
            .as_os_str()
            .as_bytes()
            .split(|byte| *byte == b'/')
            .filter(|part| !matches!(part, [] | [b'.']));
        for part in parts.rev() {
            self.ahead.push_front((OsStr::from_bytes(part).to_owned(), Some(from.clone())));
        }
        Ok(())
    }
}

/// A path as the archive would name it.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(name: &str, expected: Result<&str, &str>) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        let links = [
            ("lib", "usr/lib"),
            ("abs", "/usr/lib"),
            ("out", "../etc"),
            ("far", "/usr/../../etc"),
            ("a", "b"),
            ("b", "usr/../lib"),
            ("loop", "loop"),
            ("nowhere", "/victim/dir"),
        ];
        for (name, target) in links {
            symlink(target, root.join(name)).unwrap();
        }
        let found = parts(name.as_bytes()).and_then(|parts| folder(root, &parts, Absent::Make));
        let found = found.map(|path| path.unwrap().strip_prefix(root).unwrap().display().to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{name}");
    }

    #[test]
    fn links_are_resolved_within_the_image() {
        check("", Ok(""));
        check("./usr//lib/", Ok("usr/lib"));
        check("/usr/lib", Ok("usr/lib"));
        check("lib/x", Ok("usr/lib/x"));
        check("abs/x/y", Ok("usr/lib/x/y"));
        check("a", Ok("usr/lib"));
        check("new/folder", Ok("new/folder"));
    }

    #[test]
    fn ways_out_are_refused() {
        check("a/../b", Err("its name leads upwards with `..`"));
        check("..", Err("its name leads upwards with `..`"));
        check("out/x", Err("its way goes through the link out, which leads out of the image"));
        check("far/x", Err("its way goes through the link far, which leads out of the image"));
        check("loop/x", Err("its way goes through more than 40 links"));
        check("nowhere/x", Err("its way goes through the link nowhere, which leads to nothing in the image"));
        check("file/x", Err("its way goes through file, which is not a folder"));
        check("x\0y", Err("its name holds a zero byte"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parts("a/".repeat(DEEPEST).as_bytes()).is_ok());
        assert!(parts("a/".repeat(DEEPEST + 1).as_bytes()).is_err());
    }
}
