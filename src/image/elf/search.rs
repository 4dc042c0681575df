//! Where the loader looks for a library.

use std::path::{Path, PathBuf};

/// How many files `include` may reach: a bound against files that include each other.
const MOST_INCLUDES: usize = 200;

/// The directories that every program of the host searches, in order: those of ld.so.conf(5) and the loader's own, or for
/// musl those of its path file. What they hold is what `/etc/ld.so.cache` lists, without its binary format.
pub(super) fn directories(interpreter: &Path) -> Vec<PathBuf> {
    let name = interpreter.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.strip_prefix("ld-musl-").and_then(|rest| rest.split('.').next()) {
        Some(architecture) => musl(Path::new(&format!("/etc/ld-musl-{architecture}.path"))),
        None => glibc(),
    }
}

fn glibc() -> Vec<PathBuf> {
    let mut found = Vec::new();
    configured(Path::new("/etc/ld.so.conf"), &mut MOST_INCLUDES.clone(), &mut found);
    found.extend(["/lib", "/usr/lib", "/lib64", "/usr/lib64"].map(PathBuf::from));
    // A Debian loader has its multiarch directories built in, whether or not a file names them.
    let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
    found.extend(["/lib", "/usr/lib"].map(|parent| Path::new(parent).join(&multiarch)));
    found
}

/// The lines of ld.so.conf: a directory, `include PATTERN`, a comment after `#`; `hwcap` lines are obsolete.
fn configured(path: &Path, left: &mut usize, found: &mut Vec<PathBuf>) {
    let Some(rest) = left.checked_sub(1) else { return };
    *left = rest;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.split_once(char::is_whitespace) {
            Some(("include", patterns)) => {
                patterns.split_whitespace().for_each(|pattern| include(path, pattern, left, found));
            }
            Some(("hwcap", _)) => {}
            _ if line.starts_with('/') => found.push(PathBuf::from(line)),
            _ => {}
        }
    }
}

fn include(from: &Path, pattern: &str, left: &mut usize, found: &mut Vec<PathBuf>) {
    let pattern = from.parent().unwrap_or(Path::new("/")).join(pattern);
    let matches = glob::glob(&pattern.to_string_lossy());
    for path in matches.into_iter().flatten().flatten() {
        configured(&path, left, found);
    }
}

/// musl reads one file with directories parted by colons or newlines; without it, its built-in three.
fn musl(file: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| "/lib:/usr/local/lib:/usr/lib".to_owned());
    text.split([':', '\n']).map(str::trim).filter(|path| path.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_includes_and_comments_and_survives_a_loop() {
        let place = tempfile::tempdir().unwrap();
        let conf = place.path().join("ld.so.conf");
        std::fs::write(&conf, "/first # a comment\nhwcap 1 nosegneg\ninclude *.conf more/*.conf\n/last\n")
            .unwrap();
        std::fs::create_dir(place.path().join("more")).unwrap();
        std::fs::write(place.path().join("more/a.conf"), "/included\n").unwrap();
        let mut found = Vec::new();
        configured(&conf, &mut 3, &mut found);
        assert_eq!(found[0], Path::new("/first"));
        assert_eq!(found.last().unwrap(), Path::new("/last"));
        assert!(found.iter().filter(|path| *path == Path::new("/first")).count() <= 3);

        std::fs::write(&conf, "include more/*.conf\n").unwrap();
        found.clear();
        configured(&conf, &mut MOST_INCLUDES.clone(), &mut found);
        assert_eq!(found, [Path::new("/included")]);
    }

    #[test]
    fn musl_has_a_path_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("path");
        std::fs::write(&file, "/a:/b\n/c\n").unwrap();
        assert_eq!(musl(&file), ["/a", "/b", "/c"].map(PathBuf::from));
        assert_eq!(musl(&place.path().join("none")).len(), 3);
    }
}
