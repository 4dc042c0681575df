//! Writing report files once the run is over.

use std::fs;
use std::io::{Error, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::place::{Place, folder};
use crate::engine::{Event, Listener};
use crate::plan::{Column, Plan};
use crate::report::matrix::{Gather, Matrix};

/// Listens to a run, and writes its reports with its end.
#[derive(Debug)]
pub struct Files {
    gather: Gather,
    places: Vec<Place>,
    lost: Option<Error>,
}

impl Files {
    /// For this plan with these columns.
    pub fn new(plan: &Plan, columns: &[Column], places: Vec<Place>) -> Self {
        Self { gather: Gather::new(plan, columns), places, lost: None }
    }
}

impl Listener for Files {
    fn hear(&mut self, event: &Event<'_>) {
        let Some(matrix) = self.gather.hear(event) else { return };
        self.lost = write_all(&self.places, &matrix).err();
    }

    fn lost(&self) -> Option<&Error> {
        self.lost.as_ref()
    }
}

/// Writes these reports of it, each whatever becomes of the others; why one of them is not there.
pub fn write_all(places: &[Place], matrix: &Matrix) -> Result<(), Error> {
    let mut lost = Ok(());
    for Place { form, path } in places {
        if let Err(error) = write(path, (form.write)(matrix).as_bytes()) {
            lost = lost.and(Err(Error::new(error.kind(), format!("{}: {error}", path.display()))));
        }
    }
    lost
}

/// All of it or nothing: a reader never sees half a report, and an earlier one stays where a new one cannot be written. What is no
/// regular file, as `/dev/stdout` or a pipe, is written to and not replaced; a symbolic link stays one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // `/dev/stdout` may be a file, to which others write as well.
    if path.starts_with("/dev") || fs::metadata(path).is_ok_and(|file| !file.is_file()) {
        return fs::OpenOptions::new().append(true).open(path)?.write_all(bytes);
    }
    // Readable by whom the umask lets, as any file that a program makes; an earlier report keeps its mode.
    let mode = fs::metadata(&target).map_or(0o666, |file| file.permissions().mode() & 0o777);
    let permissions = fs::Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new()
        .prefix(".airtight-report-")
        .permissions(permissions)
        .tempfile_in(folder(&target))?;
    file.write_all(bytes)?;
    file.persist(&target).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::write;

    #[test]
    fn a_report_is_replaced_as_a_whole_and_a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("report"), folder.path().join("link"));
        write(&file, b"one").unwrap();
        symlink("report", &link).unwrap();
        write(&link, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_is_no_regular_file_is_written_to() {
        write(std::path::Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(write(std::path::Path::new("/dev/full"), b"lost").is_err());
    }

    #[test]
    fn an_earlier_report_stays_where_none_can_be_written() {
        assert!(write(std::path::Path::new("/proc/self/airtight"), b"x").is_err());
    }
}
