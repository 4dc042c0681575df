//! What a recipe says: one YAML file per image, its name is the file's.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{ImageError, Result, io};

/// A recipe's text is at most this long. It bounds the decoder, whose time grows with the square of hostile nesting.
const LONGEST: u64 = 16 * 1024;

/// The recipes that come with airtight: `images/NAME.yaml`.
pub(super) const BUNDLED: &[(&str, &str)] = &[
    ("base", include_str!("../../images/base.yaml")),
    ("busybox", include_str!("../../images/busybox.yaml")),
    ("debian-12", include_str!("../../images/debian-12.yaml")),
    ("debian-13", include_str!("../../images/debian-13.yaml")),
];

/// How an image is made.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The image's name.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// What it is made of.
    pub source: Source,
}

/// What an image is made of.
#[derive(Debug, Clone)]
pub enum Source {
    /// Programs of the host.
    Host(HostSource),
    /// An archive.
    Archive(ArchiveSource),
    /// A Debian suite.
    Debian(DebianSource),
}

/// Programs of the host, with the libraries they need.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSource {
    /// The programs that must be there; each becomes `/usr/bin/NAME`.
    pub programs: Vec<String>,
    /// The programs that are reported as missing where the host lacks them.
    #[serde(default)]
    pub optional: Vec<String>,
    /// A program of the list that is asked with `--list` for names that become symbolic links to it.
    pub applets: Option<String>,
    /// The Debian package that has the programs, for the error where they are missing.
    pub package: Option<String>,
}

/// A root filesystem tar, a `docker save` archive, an OCI layout as a folder or a tar; each may be compressed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSource {
    /// Where it is, from the recipe's folder.
    pub path: PathBuf,
    /// The digest that it must have, in hexadecimal.
    pub sha256: Option<String>,
    /// What it may unpack to.
    #[serde(default)]
    pub limits: Limits,
}

/// What an archive may unpack to; more is a bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How many entries.
    pub entries: u64,
    /// How many bytes, all files together.
    pub bytes: u64,
    /// How many times its own size, once it has unpacked to more than 64 MiB.
    pub ratio: u64,
}

impl Default for Limits {
    /// Roomy for a distribution with compilers (some 300 000 entries, 5 GiB), and well below a disk: a million entries,
    /// 16 GiB, 200 times its size. Text and zeros compress 10 to 100 times; DEFLATE's own bound is 1032.
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 16 << 30, ratio: 200 }
    }
}

/// A Debian suite made by mmdebstrap, or by debootstrap where that is missing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianSource {
    /// The suite: `bookworm`.
    pub suite: String,
    /// Packages besides the required ones.
    #[serde(default)]
    pub packages: Vec<String>,
    /// The mirror; by default the one that the host's apt uses.
    pub mirror: Option<String>,
}

/// A recipe as it is written: exactly one of the sources is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    about: String,
    host: Option<HostSource>,
    archive: Option<ArchiveSource>,
    debian: Option<DebianSource>,
}

impl Recipe {
    /// Decodes the text of the recipe at `path`, which errors name and from whose folder an archive's path is taken.
    pub(super) fn decode(name: &str, text: &str, path: &Path) -> Result<Self> {
        super::store::check_name(name)?;
        let written: Written = serde_yaml::from_str(text).map_err(|error| wrong(path, error.to_string()))?;
        let source = match (written.host, written.archive, written.debian) {
            (Some(host), None, None) => Source::Host(host),
            (None, Some(archive), None) => Source::Archive(archive.beside(path)),
            (None, None, Some(debian)) => Source::Debian(debian),
            _ => {
                return Err(wrong(
                    path,
                    "a recipe has exactly one of `host`, `archive`, `debian`".to_owned(),
                ));
            }
        };
        let recipe = Self { name: name.to_owned(), about: written.about, source };
        recipe.check(path)?;
        Ok(recipe)
    }

    /// Refuses words that would reach a path or a command line as something else than they seem.
    fn check(&self, path: &Path) -> Result<()> {
        let words: Vec<&str> = match &self.source {
            Source::Host(host) => {
                host.programs.iter().chain(&host.optional).chain(&host.applets).map(String::as_str).collect()
            }
            Source::Debian(debian) => debian
                .packages
                .iter()
                .chain([&debian.suite])
                .chain(&debian.mirror)
                .map(String::as_str)
                .collect(),
            Source::Archive(_) => Vec::new(),
        };
        let slash = matches!(self.source, Source::Host(_));
        match words.iter().find(|word| {
            word.is_empty()
                || word.starts_with(['-', '.'])
                || (slash && word.contains('/'))
                || word.contains([',', '\0', '\n'])
        }) {
            Some(word) => {
                Err(wrong(path, format!("`{word}` is not the plain name of a program, suite or package")))
            }
            None => Ok(()),
        }
    }
}

impl ArchiveSource {
    fn beside(mut self, recipe: &Path) -> Self {
        self.path = recipe.parent().unwrap_or(Path::new(".")).join(&self.path);
        self
    }
}

/// Reads a recipe's text.
pub(super) fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(io("open", path))?;
    let length = file.take(LONGEST + 1).read_to_string(&mut text).map_err(io("read", path))?;
    if length as u64 > LONGEST {
        Err(wrong(path, format!("a recipe has at most {LONGEST} bytes")))
    } else {
        Ok(text)
    }
}

fn wrong(path: &Path, why: String) -> ImageError {
    ImageError::Recipe { path: path.display().to_string(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let error = Recipe::decode("x", text, Path::new("images/x.yaml")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn the_bundled_recipes_are_right() {
        for (name, text) in BUNDLED {
            assert_eq!(Recipe::decode(name, text, Path::new(name)).unwrap().name, *name);
        }
    }

    #[test]
    fn wrong_recipes_say_what_is_wrong() {
        check("about: x\n", "exactly one of `host`, `archive`, `debian`");
        check("about: x\nhost: {programs: [sh]}\ndebian: {suite: trixie}\n", "exactly one of");
        check("about: x\nhots: {programs: [sh]}\n", "unknown field `hots`");
        check("about: x\nhost: {programs: [../sh]}\n", "`../sh` is not the plain name");
        check("about: x\ndebian: {suite: --hook}\n", "`--hook` is not the plain name");
        check(
            "about: x\nhost: {programs: 7}\n",
            "invalid type: integer `7`, expected a sequence at line 2 column 18",
        );
    }
}
