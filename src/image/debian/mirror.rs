//! Where the packages come from.

use std::process::Command;
use std::time::Duration;

use crate::image::run::run;

/// Debian's own, which leads to a server nearby.
const DEFAULT: &str = "http://deb.debian.org/debian";

/// How long apt may take to answer.
const LONGEST: Duration = Duration::from_secs(20);

/// The mirror of Debian's main archive that the host's apt uses; Debian's own where the host has none.
pub(super) fn configured() -> String {
    // apt-get(8): the targets are printed as the format says, one a line.
    let arguments = ["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"];
    let said = run(Command::new("apt-get").args(arguments), LONGEST);
    let text = said.map(|said| said.output).unwrap_or_default();
    main_archive(&text).unwrap_or_else(|| DEFAULT.to_owned())
}

/// The main archive calls itself Debian by origin and by label; the security archive has another label.
fn main_archive(targets: &str) -> Option<String> {
    let uri = targets.lines().find_map(|line| line.strip_prefix("Debian|Debian|"))?;
    uri.contains("://").then(|| uri.trim_end_matches('/').to_owned())
}

/// Asks the mirror for the suite, with the proxies that apt is configured for.
///
/// # Errors
/// What apt says. Where apt's helper is not installed nothing is measured, and nothing is wrong.
pub(super) fn probe(mirror: &str, suite: &str) -> Result<(), String> {
    let url = format!("{}/dists/{suite}/Release", mirror.trim_end_matches('/'));
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new("/usr/lib/apt/apt-helper");
    command.args([
        "-o",
        "Acquire::http::Timeout=5",
        "-o",
        "Acquire::https::Timeout=5",
        "-o",
        "Acquire::Retries=0",
    ]);
    command.arg("download-file").arg(&url).arg(place.path().join("Release"));
    match run(&mut command, LONGEST) {
        Ok(said) if !said.status.success() => {
            let reason = said
                .error
                .lines()
                .find(|line| line.starts_with("E:"))
                .unwrap_or("apt-helper failed")
                .to_owned();
            Err(format!("{url} cannot be had: {reason}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_told_from_the_others() {
        let check = |targets: &str, expected: Option<&str>| {
            assert_eq!(main_archive(targets).as_deref(), expected, "{targets}");
        };
        check(
            "Debian|Debian-Security|http://deb.debian.org/debian-security/\nDebian|Debian|http://deb.debian.org/debian/\n",
            Some(DEFAULT),
        );
        check("Ubuntu|Ubuntu|http://deb.debian.org/ubuntu/\n", None);
        check("", None);
    }
}
