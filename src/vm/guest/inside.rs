//! airtight as a command in the guest: it judges specs there, with the images that the host has sent along.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::flag::set_guest;
use crate::cli;

/// The word on the command line that names this role.
pub(crate) const ROLE: &str = "airtight-role-inside";

/// Where the command is.
pub(super) const AIRTIGHT: &str = "/usr/local/bin/airtight";

/// The command. It says that this is a guest: nothing else would know.
pub(super) const WRAPPER: &str = "#!/bin/sh\nexec /init airtight-role-inside \"$@\"\n";

/// Where images are by what specs call them.
const NOTED: &str = "/airtight/images.json";

/// Does what the words of the command line say.
pub(crate) fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    set_guest();
    cli::main_with([OsString::from("airtight")].into_iter().chain(words))
}

/// Notes it for commands to come.
pub(super) fn note_images(images: &BTreeMap<String, String>) -> io::Result<()> {
    fs::write(NOTED, serde_json::to_vec(images)?)
}

/// The roots of the images that the host has sent along.
pub(crate) fn brought_images() -> BTreeMap<String, PathBuf> {
    // One that is missing is told by who asks for it.
    fs::read(NOTED).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{ROLE, WRAPPER};

    #[test]
    fn the_command_plays_the_role() {
        assert_eq!(WRAPPER.lines().nth(1).unwrap(), format!("exec /init {ROLE} \"$@\""));
    }
}
