//! Runtimes that are daemons: they have images of their own, and keep containers that nobody looks after any more.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::ask::{AskError, ask};
use super::definition::{Definition, Form, ImageStore};
use super::planted::planted_archive;
use super::words::{Values, fill};
use crate::image::{cache_folder, hex};
use crate::sandbox::runtime::Cannot;
use crate::spec::Plant;

/// What every image that airtight gives to an engine is called, before its digest.
const REPOSITORY: &str = "airtight";

/// What the tag of an image begins with that was planted.
const PLANTED: &str = "planted-";

/// What every container is called, before the tag of its run.
pub(super) const CONTAINER: &str = "airtight-";

/// The engine's name for an image of the cache: `airtight:DIGEST`.
pub(super) fn image_name(rootfs: &Path) -> String {
    let digest = rootfs.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{REPOSITORY}:{}", digest.get(..16).unwrap_or(&digest))
}

/// By runtime and image.
type Done = Option<HashMap<(String, PathBuf), Result<(), String>>>;

/// Sees to it that the engine has the image; once for each image of a run.
pub(super) fn import(
    definition: &Definition,
    store: &ImageStore,
    rootfs: &Path,
    values: &Values,
) -> Result<(), String> {
    static DONE: Mutex<Done> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (definition.runtime.0.clone(), rootfs.to_owned());
    done.get_or_insert_default()
        .entry(key)
        .or_insert_with(|| import_now(definition, store, rootfs, values))
        .clone()
}

/// What an image is called that was planted for one sandbox, whose it is alone.
pub(super) fn planted_name(sandbox: &str) -> String {
    format!("{REPOSITORY}:{PLANTED}{}", sandbox.strip_prefix(CONTAINER).unwrap_or(sandbox))
}

/// Gives the engine an image with what is planted in it. It is removed with the sandbox.
pub(super) fn import_planted(
    definition: &Definition,
    store: &ImageStore,
    rootfs: &Path,
    planted: &[Plant],
    values: &Values,
) -> Result<(), String> {
    let archive = planted_archive(rootfs, planted)
        .map_err(|error| format!("cannot archive {}: {error}", rootfs.display()))?;
    let name = values.get("image").unwrap_or_default().to_owned();
    import_archive(definition, store, archive, &name, values).inspect_err(|_| {
        // There may be a part of it.
        let _ = fill(&store.remove, values).map(|argv| ask(&argv, None, definition.patience()));
    })
}

/// The words that remove the image of a sandbox, if it was planted for it.
pub(super) fn removal(definition: &Definition, values: &Values) -> Result<Option<Vec<String>>, Cannot> {
    let planted =
        values.get("image").is_some_and(|name| name.starts_with(&format!("{REPOSITORY}:{PLANTED}")));
    let store = definition.image.as_ref().filter(|_| planted);
    store.map(|store| fill(&store.remove, values)).transpose()
}

fn import_now(
    definition: &Definition,
    store: &ImageStore,
    rootfs: &Path,
    values: &Values,
) -> Result<(), String> {
    let words = |words| fill(words, values).map_err(|cannot| cannot.reason);
    // Of two runs at once the second must find what the first has imported.
    let _turn = turn().map_err(|error| format!("no lock for importing images: {error}"))?;
    match ask(&words(&store.has)?, None, definition.patience()) {
        Ok(_) => return Ok(()),
        Err(AskError::Failed(..)) => {}
        Err(other) => return Err(other.to_string()),
    }
    let archive = archive(rootfs).map_err(|error| format!("cannot archive {}: {error}", rootfs.display()))?;
    import_archive(definition, store, archive, &image_name(rootfs), values)
}

fn import_archive(
    definition: &Definition,
    store: &ImageStore,
    rootfs: File,
    name: &str,
    values: &Values,
) -> Result<(), String> {
    let archive = match store.form {
        Form::Rootfs => Ok(rootfs),
        Form::Docker => docker_archive(rootfs, name),
    };
    let archive = archive.map_err(|error| format!("cannot make an archive of {name}: {error}"))?;
    let words = fill(&store.import, values).map_err(|cannot| cannot.reason)?;
    let imported = ask(&words, Some(archive), definition.patience_for_images());
    imported.map(drop).map_err(|error| error.to_string())
}

fn turn() -> std::io::Result<File> {
    let folder = cache_folder().map_err(std::io::Error::other)?;
    let lock = File::create(folder.join("import.lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// The root as a tar, in a file that has no name.
fn archive(rootfs: &Path) -> std::io::Result<File> {
    let mut builder = tar::Builder::new(tempfile::tempfile()?);
    builder.follow_symlinks(false);
    builder.append_dir_all(".", rootfs)?;
    let mut file = builder.into_inner()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// The layer as an archive of one image, as `docker save` writes it: manifest.json, the configuration, the layer
/// (Docker Image Specification v1.2).
fn docker_archive(mut layer: File, name: &str) -> std::io::Result<File> {
    let mut hash = Sha256::new();
    std::io::copy(&mut layer, &mut Hashing(&mut hash))?;
    let digest = hex(hash);
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let rootfs = json!({ "type": "layers", "diff_ids": [format!("sha256:{digest}")] });
    let config = json!({ "architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    layer.seek(SeekFrom::Start(0))?;
    let mut builder = tar::Builder::new(tempfile::tempfile()?);
    append(&mut builder, "manifest.json", manifest.to_string().as_bytes())?;
    append(&mut builder, "config.json", config.to_string().as_bytes())?;
    builder.append_file("layer.tar", &mut layer)?;
    let mut file = builder.into_inner()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// A digest as something that is written to.
struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn append(builder: &mut tar::Builder<File>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, bytes)
}

/// Removes the containers of the runs with these tags, which a daemon keeps.
pub(super) fn sweep(definition: &Definition, values: &Values, belongs: impl Fn(&str) -> bool) {
    let (Some(list), Some(delete)) = (&definition.list, &definition.delete) else { return };
    let patience = definition.patience();
    let listed = fill(list, values).ok().and_then(|argv| ask(&argv, None, patience).ok());
    let text = String::from_utf8_lossy(&listed.unwrap_or_default()).into_owned();
    for name in text.lines().map(str::trim).filter(|name| tag_of(name).is_some_and(&belongs)) {
        // What cannot be removed now is tried again by the next run.
        let _ = fill(delete, &values.clone().with("id", name)).map(|argv| ask(&argv, None, patience));
    }
}

/// Removes the images that were planted for sandboxes of the runs with these tags.
pub(super) fn sweep_images(definition: &Definition, values: &Values, belongs: impl Fn(&str) -> bool) {
    let Some(store) = &definition.image else { return };
    let patience = definition.patience();
    let listed = fill(&store.list, values).ok().and_then(|argv| ask(&argv, None, patience).ok());
    let text = String::from_utf8_lossy(&listed.unwrap_or_default()).into_owned();
    let ours = text.lines().filter_map(|line| line.trim().rsplit('/').next());
    for name in ours.filter(|name| planted_for(name).is_some_and(&belongs)) {
        // What cannot be removed now is tried again by the next run.
        let _ =
            fill(&store.remove, &values.clone().with("image", name)).map(|argv| ask(&argv, None, patience));
    }
}

/// Of `airtight:planted-TAG.cN`.
fn planted_for(image: &str) -> Option<&str> {
    let rest = image.strip_prefix(REPOSITORY)?.strip_prefix(':')?.strip_prefix(PLANTED)?;
    rest.split_once('.').map(|(tag, _)| tag)
}

/// Of `airtight-TAG.cN`.
fn tag_of(name: &str) -> Option<&str> {
    name.strip_prefix(CONTAINER).and_then(|rest| rest.split_once('.')).map(|(tag, _)| tag)
}

/// Removes the images that were imported; says which.
pub(super) fn remove_images(
    definition: &Definition,
    store: &ImageStore,
    values: &Values,
) -> Result<Vec<String>, String> {
    let told = |words, values: &Values| {
        let argv = fill(words, values).map_err(|cannot| cannot.reason)?;
        ask(&argv, None, definition.patience()).map_err(|error| error.to_string())
    };
    let listed = told(&store.list, values)?;
    let text = String::from_utf8_lossy(&listed).into_owned();
    // An engine may put a registry before the name.
    let names = text.lines().filter_map(|line| line.trim().rsplit('/').next());
    let ours = names.filter(|name| name.starts_with(&format!("{REPOSITORY}:")));
    ours.map(|name| told(&store.remove, &values.clone().with("image", name)).map(|_| name.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_of_an_image_or_a_container_is_in_its_name() {
        let name = planted_name("airtight-12-ab.c3");
        assert_eq!(name, "airtight:planted-12-ab.c3");
        assert_eq!(planted_for(&name), Some("12-ab"));
        assert_eq!(planted_for("airtight:0123456789abcdef"), None);
        assert_eq!(tag_of("airtight-12-ab.c3"), Some("12-ab"));
        assert_eq!(tag_of("other-12-ab.c3"), None);
    }
}
