//! The program that makes the suite.

use std::ffi::OsString;
use std::path::Path;

use crate::image::recipe::DebianSource;

/// One of the two, with what it can do for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// mmdebstrap(1): writes a tar to its standard output.
    Mmdebstrap,
    /// debootstrap(8): fills a folder; only as root.
    Debootstrap,
}

impl Tool {
    /// The one to use here.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn choose() -> Result<Self, String> {
        let root = nix::unistd::geteuid().is_root();
        match (found("mmdebstrap"), found("debootstrap"), root) {
            (true, _, true) => Ok(Self::Mmdebstrap),
            (true, _, false) => ids().map(|()| Self::Mmdebstrap),
            (false, true, true) => Ok(Self::Debootstrap),
            (false, true, false) => {
                Err("debootstrap works only as root, and mmdebstrap is missing".to_owned())
            }
            (false, false, _) => Err("neither mmdebstrap nor debootstrap is installed".to_owned()),
        }
    }

    /// Its command line. `folder` is where debootstrap makes the tree.
    pub(super) fn command(self, source: &DebianSource, mirror: &str, folder: &Path) -> Vec<OsString> {
        let packages = source.packages.join(",");
        let include = if packages.is_empty() { String::new() } else { format!("--include={packages}") };
        let mode = if nix::unistd::geteuid().is_root() { "--mode=root" } else { "--mode=unshare" };
        let words: Vec<OsString> = match self {
            Self::Mmdebstrap => [
                "mmdebstrap",
                mode,
                "--variant=minbase",
                "--format=tar",
                &include,
                &source.suite,
                "-",
                mirror,
            ]
            .map(OsString::from)
            .into(),
            Self::Debootstrap => {
                let folder = folder.as_os_str().to_owned();
                let words = ["debootstrap", "--variant=minbase", &include, &source.suite].map(OsString::from);
                words.into_iter().chain([folder, OsString::from(mirror)]).collect()
            }
        };
        words.into_iter().filter(|word| !word.is_empty()).collect()
    }
}

/// mmdebstrap's `unshare` mode needs a range of ids for the user: newuidmap(1), subuid(5).
fn ids() -> Result<(), String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
    let user = user.unwrap_or_else(|| nix::unistd::geteuid().to_string());
    if !found("newuidmap") {
        return Err("mmdebstrap as an ordinary user needs newuidmap, of Debian's package uidmap".to_owned());
    }
    let ranges = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
    let listed = ranges.lines().any(|line| line.split(':').next() == Some(user.as_str()));
    if listed {
        Ok(())
    } else {
        Err(format!(
            "mmdebstrap as an ordinary user needs a range of ids, and /etc/subuid has none for {user}"
        ))
    }
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}
