//! A copy of an image whose owners are shifted into a user namespace's ids: for file systems that cannot show them through an
//! id map (tmpfs before Linux 6.3, overlayfs). It is made once, beside the image, and goes with it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::copy::{Manner, copy_into};
use crate::sys::{Failure, Result};

/// Ranges of an id map: (inside, outside, count).
type Ranges = [(u32, u32, u32)];

/// The image's copy for this map, which is made if it is not there yet.
pub(in crate::sandbox) fn shifted(image: &Path, ranges: &Ranges) -> Result<PathBuf> {
    let folder = image.parent().unwrap_or(image);
    let name = ranges.iter().map(|(inside, outside, count)| format!("-{inside}.{outside}.{count}"));
    let copy = folder.join(format!("shifted{}", name.collect::<String>()));
    let failed = |error: io::Error| Failure::from_io("copy", &[&image, &copy], &error);
    let lock = File::create(folder.join("shifted.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if copy.is_dir() {
        return Ok(copy);
    }
    let unfinished = folder.join("shifting");
    // What a killed run left is begun anew; it holds nothing but what was copied here.
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    fs::create_dir(&unfinished).map_err(failed)?;
    copy_into(image, &unfinished, Manner::Shifted(&|id| shift(id, ranges))).map_err(failed)?;
    fs::rename(&unfinished, &copy).map_err(failed)?;
    Ok(copy)
}

/// What an id on disk is outside; an id that the map does not know stays, and is nobody's inside.
fn shift(id: u32, ranges: &Ranges) -> u32 {
    let find = |(inside, outside, count): &(u32, u32, u32)| {
        id.checked_sub(*inside).filter(|offset| offset < count).map(|offset| outside + offset)
    };
    ranges.iter().find_map(find).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn ids_are_shifted_by_the_range_that_has_them() {
        let ranges = [(0, 100_000, 1000), (1000, 5000, 1)];
        let check = |id, expected| assert_eq!(shift(id, &ranges), expected, "{id}");
        check(0, 100_000);
        check(999, 100_999);
        check(1000, 5000);
        check(1001, 1001);
    }

    #[test]
    fn a_copy_has_the_same_files_with_other_owners() {
        let own = nix::unistd::Uid::effective();
        // Only root can give files away; what anyone can do is to keep them.
        let there = if own.is_root() { 100_000 } else { own.as_raw() };
        let ranges = [(own.as_raw(), there, 1)];
        let place = tempfile::tempdir().unwrap();
        let image = place.path().join("rootfs");
        fs::create_dir_all(image.join("bin")).unwrap();
        fs::write(image.join("bin/su"), "x").unwrap();
        fs::set_permissions(image.join("bin/su"), fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("bin/su", image.join("link")).unwrap();
        let copy = shifted(&image, &ranges).unwrap();
        let su = fs::symlink_metadata(copy.join("bin/su")).unwrap();
        assert_eq!((su.uid(), su.mode() & 0o7777), (there, 0o4755));
        assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("bin/su"));
        assert_eq!(shifted(&image, &ranges).unwrap(), copy, "the second time it is there");
    }
}
