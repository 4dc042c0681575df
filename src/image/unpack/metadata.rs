//! What an entry says of its file besides the content: owner, mode, times, extended attributes.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use nix::fcntl::AtFlags;
use nix::sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmodat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid};

use crate::image::Missing;
use crate::sys::Failure;

/// The PAX prefix of extended attributes (star(5)).
const XATTR: &[u8] = b"SCHILY.xattr.";

/// As an entry states it.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    owner: (u64, u64),
    mode: u32,
    time: TimeSpec,
    xattrs: Vec<(OsString, Vec<u8>)>,
}

/// Owners that could not be set: one note for all, since an ordinary user can set none.
#[derive(Debug, Default)]
pub(super) struct Owners {
    first: Option<Missing>,
    count: u64,
}

impl Metadata {
    /// Takes it from the header and the PAX records, which have the last word.
    pub(super) fn of<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Self, String> {
        let say = |error: std::io::Error| error.to_string();
        let header = entry.header();
        let owner = (header.uid().map_err(say)?, header.gid().map_err(say)?);
        let mode = header.mode().map_err(say)? & 0o7777;
        let seconds = i64::try_from(header.mtime().unwrap_or_default()).unwrap_or_default();
        let mut metadata = Self { owner, mode, time: TimeSpec::new(seconds, 0), xattrs: Vec::new() };
        for record in entry.pax_extensions().map_err(say)?.into_iter().flatten() {
            let record = record.map_err(say)?;
            metadata.take(record.key_bytes(), record.value_bytes())?;
        }
        Ok(metadata)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        if let Some(name) = key.strip_prefix(XATTR) {
            self.xattrs.push((OsString::from_vec(name.to_owned()), value.to_owned()));
        } else if key == b"mtime" {
            self.time = std::str::from_utf8(value).ok().and_then(time).unwrap_or(self.time);
        } else if key.starts_with(b"GNU.sparse.") {
            return Err(
                "it is a sparse file in a PAX format, which is not read: make the archive without --sparse"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Sets all of it on the file itself, never on what a link leads to. What cannot be set is reported.
    pub(super) fn apply(&self, path: &Path, name: &str, owners: &mut Owners) -> Result<Vec<Missing>, String> {
        let link = std::fs::symlink_metadata(path).map_err(|error| error.to_string())?.is_symlink();
        self.own(path, name, owners);
        if !link {
            // After the owner: chown(2) clears the set-ID bits.
            let mode = Mode::from_bits_truncate(self.mode);
            fchmodat(nix::fcntl::AT_FDCWD, path, mode, FchmodatFlags::FollowSymlink)
                .map_err(|errno| Failure::new("fchmodat", &[&path, &mode], errno).to_string())?;
        }
        let missing = self.xattrs.iter().filter_map(|(key, value)| attach(path, name, key, value)).collect();
        self.stamp(path)?;
        Ok(missing)
    }

    /// Sets the time of modification; for a folder it must be done again when all in it is made.
    pub(super) fn stamp(&self, path: &Path) -> Result<(), String> {
        utimensat(nix::fcntl::AT_FDCWD, path, &self.time, &self.time, UtimensatFlags::NoFollowSymlink)
            .map_err(|errno| Failure::new("utimensat", &[&path], errno).to_string())
    }

    fn own(&self, path: &Path, name: &str, owners: &mut Owners) {
        let (Ok(user), Ok(group)) = (u32::try_from(self.owner.0), u32::try_from(self.owner.1)) else {
            return owners.note(name, self.owner, "an id has 32 bits".to_owned());
        };
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(group));
        let done = nix::unistd::fchownat(
            nix::fcntl::AT_FDCWD,
            path,
            Some(uid),
            Some(gid),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        );
        if let Err(errno) = done {
            owners.note(
                name,
                self.owner,
                Failure::new("fchownat", &[&path, &user, &group], errno).to_string(),
            );
        }
    }
}

impl Owners {
    fn note(&mut self, name: &str, (user, group): (u64, u64), why: String) {
        self.count += 1;
        self.first.get_or_insert_with(|| Missing {
            path: name.to_owned(),
            what: format!("owner {user}:{group}"),
            why,
        });
    }

    /// The one note, if any.
    pub(super) fn missing(self) -> Option<Missing> {
        let mut missing = self.first?;
        if self.count > 1 {
            missing.what = format!("{} and the owners of {} more", missing.what, self.count - 1);
        }
        Some(missing)
    }
}

/// A PAX time: seconds, with a fraction perhaps, before 1970 perhaps.
fn time(text: &str) -> Option<TimeSpec> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: i64 = digits.parse().ok()?;
    let seconds: i64 = seconds.parse().ok()?;
    // -1.25 is 1.25 s before 1970: two whole seconds back, and three quarters on.
    let back = text.starts_with('-') && nanoseconds > 0;
    Some(if back {
        TimeSpec::new(seconds - 1, 1_000_000_000 - nanoseconds)
    } else {
        TimeSpec::new(seconds, nanoseconds)
    })
}

/// Sets an extended attribute. Those of overlayfs are left out: in a lower layer they would redirect it (kernel, overlayfs.rst).
fn attach(path: &Path, name: &str, key: &OsString, value: &[u8]) -> Option<Missing> {
    let text = key.to_string_lossy();
    let overlay = text.starts_with("trusted.overlay.") || text.starts_with("user.overlay.");
    let set = || rustix::fs::lsetxattr(path, key.as_os_str(), value, rustix::fs::XattrFlags::empty());
    let why = match (!overlay).then(set) {
        None => "it would steer an overlay on the image".to_owned(),
        Some(Ok(())) => return None,
        Some(Err(errno)) => {
            Failure::new("lsetxattr", &[&path, &text], nix::errno::Errno::from_raw(errno.raw_os_error()))
                .to_string()
        }
    };
    Some(Missing { path: name.to_owned(), what: format!("extended attribute {text}"), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_times_have_fractions() {
        let check = |text: &str, expected: Option<(i64, i64)>| {
            assert_eq!(time(text), expected.map(|(seconds, rest)| TimeSpec::new(seconds, rest)), "{text}");
        };
        check("0", Some((0, 0)));
        check("1700000000.5", Some((1_700_000_000, 500_000_000)));
        check("1.0000000019", Some((1, 1)));
        check("-1.25", Some((-2, 750_000_000)));
        check("soon", None);
        check("1.x", None);
    }
}
