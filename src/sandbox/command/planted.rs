//! A root filesystem as an archive, with what is planted in it: for engines, which import their images.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::spec::Plant;

/// How long the first field of a header is (POSIX.1-1988, ustar), which must end with a zero byte here.
const NAME: usize = 100;

/// The archive, in a file that has no name. What is planted takes the place of what is there.
pub(super) fn planted_archive(rootfs: &Path, planted: &[Plant]) -> io::Result<File> {
    let mut builder = Builder::new(tempfile::tempfile()?);
    builder.follow_symlinks(false);
    append(&mut builder, rootfs, Path::new(""), planted)?;
    for plant in planted {
        lay(&mut builder, plant)?;
    }
    let mut file = builder.into_inner()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Everything below a directory of the root.
fn append(builder: &mut Builder<File>, rootfs: &Path, below: &Path, planted: &[Plant]) -> io::Result<()> {
    let mut names: Vec<PathBuf> = fs::read_dir(rootfs.join(below))?
        .map(|entry| Ok(below.join(entry?.file_name())))
        .collect::<io::Result<_>>()?;
    names.sort_unstable();
    for name in names {
        let of_it = planted.iter().filter(|plant| relative(&plant.path) == name);
        let (taking, changing): (Vec<_>, Vec<_>) = of_it.partition(|plant| plant.replaces());
        if !taking.is_empty() {
            continue;
        }
        let path = rootfs.join(&name);
        match changing.iter().rev().find_map(|plant| plant.mode.as_deref()) {
            Some(mode) => with_mode(builder, &path, &name, mode)?,
            None => builder.append_path_with_name(&path, &name)?,
        }
        if fs::symlink_metadata(&path)?.is_dir() {
            append(builder, rootfs, &name, planted)?;
        }
    }
    Ok(())
}

fn relative(path: &str) -> &Path {
    Path::new(path.trim_start_matches('/'))
}

fn bits(mode: &str) -> io::Result<u32> {
    u32::from_str_radix(mode, 8).map_err(io::Error::other)
}

/// A file or a directory with other permissions.
fn with_mode(builder: &mut Builder<File>, path: &Path, name: &Path, mode: &str) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_metadata(&fs::metadata(path)?);
    header.set_mode(bits(mode)?);
    if path.is_dir() {
        builder.append_data(&mut header, name, io::empty())
    } else {
        builder.append_data(&mut header, name, File::open(path)?)
    }
}

fn lay(builder: &mut Builder<File>, plant: &Plant) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(plant.mode.as_deref().map_or(Ok(0o644), bits)?);
    let text = match (&plant.link, &plant.hard_link, &plant.file) {
        (Some(target), ..) => refer(&mut header, EntryType::Symlink, target)?,
        (None, Some(target), _) => refer(&mut header, EntryType::Link, target)?,
        (None, None, Some(text)) => text,
        (None, None, None) => return Ok(()),
    };
    header.set_size(text.len() as u64);
    name(&mut header, &plant.path)?;
    header.set_cksum();
    builder.append(&header, text.as_bytes())
}

/// An entry that has a target and no content.
fn refer(header: &mut Header, kind: EntryType, target: &str) -> io::Result<&'static str> {
    header.set_entry_type(kind);
    header.set_link_name_literal(target)?;
    Ok("")
}

/// As it stands, with each `..`: an archive is not made by whoever it is good to.
fn name(header: &mut Header, path: &str) -> io::Result<()> {
    let path = path.trim_start_matches('/').as_bytes();
    let places = header.as_mut_bytes().get_mut(..path.len()).filter(|places| places.len() < NAME);
    let places = places.ok_or_else(|| io::Error::other("a path is too long for the header of a tar"))?;
    places.copy_from_slice(path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planted_takes_the_place_of_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/deep")).unwrap();
        fs::write(root.path().join("etc/deep/file"), "old").unwrap();
        fs::write(root.path().join("run"), "old").unwrap();
        let plant = |path: &str, link: Option<&str>, file: Option<&str>, mode: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Plant {
                path: path.to_owned(),
                link: own(link),
                file: own(file),
                mode: own(mode),
                hard_link: None,
            }
        };
        let planted = [
            plant("/etc", Some("/elsewhere"), None, None),
            plant("/run", None, None, Some("4755")),
            plant("/new", None, Some("text"), Some("0600")),
            plant("/../up", None, Some("x"), None),
            Plant { path: "/other".to_owned(), hard_link: Some("/a/b".to_owned()), ..Plant::default() },
        ];
        let mut archive = tar::Archive::new(planted_archive(root.path(), &planted).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let (header, path) = (entry.header(), entry.path().unwrap().into_owned());
            let link = entry.link_name().unwrap().map(|link| link.display().to_string()).unwrap_or_default();
            format!(
                "{} {:o} {} {link}",
                path.display(),
                header.mode().unwrap() & 0o7777,
                header.size().unwrap()
            )
        });
        let found: Vec<String> = entries.collect();
        assert_eq!(
            found,
            ["run 4755 3 ", "etc 644 0 /elsewhere", "new 600 4 ", "../up 644 1 ", "other 644 0 /a/b"]
        );
    }
}
